"""From a colour photograph to the grey one an archive might hold: spectral sensitivity, tone,
grain, wear.

Everything works on whole batches, on any device; randomness comes from the generator that is
passed in.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from retint.color import LUMINANCE_WEIGHTS
from retint.layers.lab import lightness, to_linear
from retint.train.recipe import Film

JPEG_TABLE = (  # ITU-T T.81, table K.1: luminance quantisation at quality 50
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


def develop(pixels: Tensor, film: Film, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """What the network sees and the scene it shows.

    pixels: uint8 (n, 3, h, w), sRGB. Returns L* (n, 1, h, w), 0..100, of a grey photograph of the
    scene, and the
    scene in linear light (n, 3, h, w), 0..1. `random` must live on the pixels' device.
    """
    codes = torch.arange(256, device=pixels.device)
    linear = to_linear(codes / 255)[pixels.int()]
    n = len(pixels)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        draw = torch.rand(*(shape or (n, 1, 1, 1)), generator=random, device=pixels.device)
        return low + (high - low) * draw

    film_like = uniform(0, 1, n) >= film.plain

    def chosen(probability: float) -> Tensor:
        return (film_like & (uniform(0, 1, n) < probability)).nonzero()[:, 0]

    # Spectral sensitivity: a Dirichlet draw around panchromatic film, its red pulled down at random
    weights = linear.new_tensor(LUMINANCE_WEIGHTS).repeat(n, 1)
    which = chosen(film.spectral)
    m = len(which)
    drawn = -torch.log(uniform(1e-4, 1, m, 3)) * linear.new_tensor((0.8, 1.0, 0.6))
    drawn[:, 0] *= uniform(0, 1, m)
    weights[which] = drawn / drawn.sum(1, keepdim=True)
    v = lightness(torch.einsum("nc,nchw->nhw", weights, linear)[:, None]) / 100

    for probability, wear in (
        (film.blur, _blur),
        (film.tone, _tone),
        (film.vignette, _vignette),
        (film.grain, _grain),
        (film.scratches, _scratches),
        (film.jpeg, _jpeg),
    ):
        which = chosen(probability)
        if len(which):
            v[which] = wear(v[which], random)
    return v.clamp(0, 1) * 100, linear


# Each of the following takes grey pictures v (n, 1, h, w), lightness 0..1, and returns them worn in
# one way.


def _uniform(v: Tensor, low: float, high: float, random: torch.Generator) -> Tensor:
    """One random number a picture: (n, 1, 1, 1)."""
    draw = torch.rand(len(v), 1, 1, 1, generator=random, device=v.device)
    return low + (high - low) * draw


def _tone(v: Tensor, random: torch.Generator) -> Tensor:
    """Gamma, contrast, faded blacks and whites."""
    v = v.clamp_min(0) ** torch.exp(_uniform(v, -0.4, 0.4, random))
    v = 0.5 + (v - 0.5) * _uniform(v, 0.7, 1.25, random)
    black, white = _uniform(v, 0, 0.15, random), 1 - _uniform(v, 0, 0.12, random)
    return (black + v * (white - black)).clamp(0, 1)


def _vignette(v: Tensor, random: torch.Generator) -> Tensor:
    """Darker, or a little lighter, away from a place near the middle."""
    across = torch.linspace(-1, 1, v.shape[3], device=v.device) - _uniform(v, -0.3, 0.3, random)
    down = torch.linspace(-1, 1, v.shape[2], device=v.device)[:, None]
    down = down - _uniform(v, -0.3, 0.3, random)
    return v * (1 + _uniform(v, -0.35, 0.15, random) * (across**2 + down**2) / 2)


def _grain(v: Tensor, random: torch.Generator) -> Tensor:
    """Grain of one or two pixels."""
    n, _, height, width = v.shape
    fine = torch.randn(v.shape, generator=random, device=v.device)
    coarse = torch.randn(n, 1, height // 2, width // 2, generator=random, device=v.device)
    coarse = F.interpolate(coarse, size=(height, width), mode="bilinear") * 1.5
    kind = _uniform(v, 0, 1, random) < 0.5
    return v + torch.where(kind, fine, coarse) * _uniform(v, 0.005, 0.06, random)


def _blur(v: Tensor, random: torch.Generator) -> Tensor:
    """A Gaussian of one random width for the batch, 0.5 to 1.5 pixels."""
    sigma = 0.5 + float(torch.rand((), generator=random, device=v.device))
    x = torch.arange(-3, 4, device=v.device, dtype=v.dtype)
    kernel = torch.exp(-(x**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum())[None, None, None]
    v = F.conv2d(F.pad(v, (3, 3, 0, 0), mode="replicate"), kernel)
    return F.conv2d(F.pad(v, (0, 0, 3, 3), mode="replicate"), kernel.transpose(2, 3))


def _scratches(v: Tensor, random: torch.Generator) -> Tensor:
    """Three thin, nearly straight lines per picture, light or dark, and a few specks of dust."""
    n, _, height, width = v.shape
    rows = torch.arange(height, device=v.device, dtype=v.dtype)[:, None]
    columns = torch.arange(width, device=v.device, dtype=v.dtype)
    draw = torch.rand(n, 3, 5, generator=random, device=v.device)
    for k in range(3):
        place, slope, value, strength, way = (draw[:, k, i, None, None] for i in range(5))
        straight = place * width + (slope - 0.5) * 0.3 * rows - columns
        lying = place * height + (slope - 0.5) * 0.3 * columns - rows
        line = torch.exp(-(torch.where(way < 0.6, straight, lying) ** 2)) * (0.3 + 0.6 * strength)
        v = v + line[:, None] * (torch.where(value < 0.5, 0.0, 1.0)[:, None] - v)
    dust = torch.rand(v.shape, generator=random, device=v.device)
    return torch.where(dust < 5e-4, torch.zeros_like(v), torch.where(dust > 0.9995, 1.0, v))


def _jpeg(v: Tensor, random: torch.Generator) -> Tensor:
    """Round trip through JPEG's 8x8 cosine transform, at qualities of about 85 down to 20."""
    coarseness = _uniform(v, 0.3, 2.5, random)
    n, _, height, width = v.shape
    k = torch.arange(8, device=v.device, dtype=torch.float32)
    basis = torch.cos((2 * k[None] + 1) * k[:, None] * torch.pi / 16) / 2
    basis[0] /= 2**0.5
    table = torch.tensor(JPEG_TABLE, device=v.device, dtype=torch.float32) / 255
    blocks = v.clamp(0, 1).reshape(n, height // 8, 8, width // 8, 8).permute(0, 1, 3, 2, 4) - 0.5
    steps = (table * coarseness.view(n, 1, 1, 1, 1)).clamp_min(1 / 255)
    coefficients = torch.round(basis @ blocks @ basis.T / steps) * steps
    blocks = basis.T @ coefficients @ basis + 0.5
    return blocks.permute(0, 1, 3, 2, 4).reshape(n, 1, height, width)
