"""DDColor: two decoders over ConvNeXt, one for places and one for colours.

Paper: Kang et al. 2023, arXiv:2212.11613, and the authors' code (piddnad/DDColor, Apache-2.0).
Origin: beyond the seeds. Licence of this code: MIT. Of their weights the authors state no licence;
they learned from ImageNet, the artistic ones also from private data.

Exact: every layer of `paper-tiny` (ConvNeXt-T) and `large` (ConvNeXt-L), in which ab is of full
size and in Lab units, but for the encoder's last norm, which their code has and no colour depends
on (55,005,104 and 227,866,256 parameters without it); the authors' checkpoints load by name, and
give the authors' ab. Chosen: the ratio of the sides is kept, where the authors squash to a square,
and queries see a map of any size.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from retint.layers.answer import Answer
from retint.layers.colour_queries import ColourQueries
from retint.layers.convnext import ChannelNorm, ConvNeXt
from retint.layers.faces import Regressor, RegressorConfig
from retint.layers.imagenet import ImageNetUnits
from retint.layers.lab import grey
from retint.layers.published import Published
from retint.layers.renaming import renamed
from retint.layers.shuffle_unet import Shuffle, Up
from retint.layers.spectral import SpectralConv2d


@dataclass(frozen=True)
class Config(RegressorConfig):
    """Sizes of ConvNeXt's stages, of the way up and of the colour queries."""

    depths: tuple[int, int, int, int] = (3, 3, 27, 3)
    channels: tuple[int, int, int, int] = (192, 384, 768, 1536)
    up: int = 512  # channels of the way up, at the end half as many
    queries: int = 100
    asking: int = 256  # channels of a query
    heads: int = 8
    wide: int = 2048  # of the queries' linear layers
    layers: int = 9


LARGE = Config()

variants = {
    "default": LARGE,
    "large": LARGE,
    "paper-tiny": Config(depths=(3, 3, 9, 3), channels=(96, 192, 384, 768)),
    "tiny": Config(
        depths=(1, 1, 1, 1),
        channels=(8, 8, 16, 16),
        up=16,
        queries=8,
        asking=16,
        heads=2,
        wide=16,
        layers=3,
    ),
}


def _published(name: str, data: str = "") -> Published:
    return Published(
        weights_license="none stated",
        origin=f"piddnad/{name}",
        data="ImageNet (ILSVRC 2012): non-commercial research terms" + data,
        description="DDColor.",
        paper=("Kang et al. 2023, DDColor, arXiv:2212.11613",),
        working_size=512,
    )


published = {
    "default": _published("ddcolor_modelscope"),
    "large": _published("ddcolor_modelscope, ddcolor_paper"),
    "paper-tiny": _published("ddcolor_paper_tiny"),
}


class Net(Regressor):
    """L* (n, 1, h, w), 0..100, to ab (n, 2, h, w), Lab units."""

    size: Mapping[str, Any] = {"multiple_of": 32}

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.units = ImageNetUnits()
        self.encoder = ConvNeXt(config.depths, config.channels)
        self.norms = nn.ModuleList(map(ChannelNorm, config.channels))
        at4, at8, at16, at32 = config.channels
        wide, narrow = config.up, config.up // 2
        self.up = nn.ModuleList(
            [
                Up(at32, at16, wide, (wide,)),
                Up(wide, at8, wide, (wide,)),
                Up(wide, at4, narrow, (narrow,)),
            ]
        )
        self.shuffle = Shuffle(narrow, narrow, 4)
        self.queries = ColourQueries(
            (wide, wide, narrow),
            narrow,
            queries=config.queries,
            channels=config.asking,
            heads=config.heads,
            wide=config.wide,
            layers=config.layers,
        )
        self.last = SpectralConv2d(config.queries + 3, 2, 1)

    def start_from(self, encoder: Path) -> None:
        """Take ConvNeXt's weights from a file, as of its authors or timm."""
        self.encoder.load(encoder)

    def forward(self, L: Tensor) -> Answer:
        rgb = self.units(grey(L).expand(-1, 3, -1, -1))
        features = zip(self.norms, self.encoder(rgb), strict=True)
        *skips, x = [norm(x) for norm, x in features]
        maps: list[Tensor] = []
        for up in self.up:
            x = up(x, skips.pop())
            maps.append(x)
        colours = self.queries(maps)
        x = torch.einsum("nqc,nchw->nqhw", colours, self.shuffle(x))
        return Answer(ab=self.last(torch.cat((x, rgb), 1)))


FROM_AUTHORS = (
    (r"^encoder\.arch\.norm(\d)\.", r"norms.\1."),
    (r"^encoder\.arch\.", "encoder."),
    (r"^decoder\.layers\.", "up."),
    (r"^decoder\.last_shuf\.conv\.0\.", "shuffle.convolution."),
    (r"^(up\.\d)\.shuf\.conv\.0\.", r"\1.shuffle.convolution."),
    (r"^(up\.\d)\.shuf\.conv\.1\.", r"\1.shuffle.norm."),
    (r"^(up\.\d)\.bn\.", r"\1.norm."),
    (r"^(up\.\d)\.conv\.0\.", r"\1.mix.0.convolution."),
    (r"^(up\.\d)\.conv\.2\.", r"\1.mix.0.norm."),
    (r"^decoder\.color_decoder\.", "queries."),
    (r"^queries\.query_feat\.weight$", "queries.start"),
    (r"^queries\.query_embed\.weight$", "queries.place"),
    (r"^queries\.level_embed\.weight$", "queries.level"),
    (r"^queries\.input_proj\.", "queries.project."),
    (r"^queries\.transformer_self_attention_layers\.", "queries.each."),
    (r"^queries\.transformer_cross_attention_layers\.", "queries.cross."),
    (r"\.(self|multihead)_attn\.in_proj_", ".project."),
    (r"\.(self|multihead)_attn\.out_proj\.", ".out."),
    (r"^queries\.transformer_ffn_layers\.", "queries.dense."),
    (r"^queries\.decoder_norm\.", "queries.norm."),
    (r"^queries\.color_embed\.layers\.", "queries.colour."),
    (r"^refine_net\.0\.0\.", "last."),
    (r"\.weight_orig$", ".weight"),
)

UNUSED = ("encoder.norm.", "encoder.head_cls.", "mean", "std")
"""Of the authors' checkpoints: what no colour depends on, and ImageNet's units."""


def from_foreign(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keys of the authors' checkpoints to ours."""
    ours = renamed(state, FROM_AUTHORS)
    return {key: value for key, value in ours.items() if not key.startswith(UNUSED)}
