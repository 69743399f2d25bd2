"""The sets of pictures that `retint data fetch` knows: where they are, and on what terms."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from retint.data.fetch import labels
from retint.data.fetch.pictures import Row
from retint.errors import OptionsError

RESEARCH = "non-commercial research and education only"


@dataclass(frozen=True)
class Archive:
    """One file of a source. Without a `url` only its owner can give it (`--from`), and `name` may
    be empty: then any archive will do. `part` is what `--part` calls it; without, it is always
    needed. `size` in bytes, about."""

    name: str
    url: str = ""
    size: int = 0
    hash: str = ""
    part: str = ""


@dataclass(frozen=True)
class Source:
    """A set of pictures. `license` is that of each picture where nothing better is said of it;
    `terms` must be accepted where there are any. `rows` tells of the pictures, given the archives
    by name."""

    name: str
    title: str
    page: str
    license: str
    archives: tuple[Archive, ...]
    rows: Callable[[Mapping[str, Path]], Iterator[Row]]
    terms: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        """What `--part` may name."""
        return tuple(dict.fromkeys(a.part for a in self.archives if a.part))

    def wanted(self, parts: tuple[str, ...]) -> tuple[Archive, ...]:
        """The archives of some parts (none named: all). OptionsError for one that there is not."""
        for part in parts:
            if part not in self.parts:
                there_are = ", ".join(self.parts) or "none"
                raise OptionsError(f"{self.name} has no part {part!r}; there are: {there_are}")
        return tuple(a for a in self.archives if not (parts and a.part) or a.part in parts)


_MIRFLICKR = "https://press.liacs.nl/mirflickr/mirflickr25k.v3b"
_DOGS = "http://vision.stanford.edu/aditya86/ImageNetDogs"
_PLACES = "https://data.csail.mit.edu/places/places365"
_COCO = "http://images.cocodataset.org"

_ALL = (
    Source(
        "mirflickr",
        "MIRFLICKR-25000: 25,000 photographs from Flickr, with annotations",
        "https://press.liacs.nl/mirflickr/mirdownload.html",
        "Creative Commons, one of its licences per picture",
        (
            Archive(
                "mirflickr25k.zip",
                f"{_MIRFLICKR}/mirflickr25k.zip",
                3_069_184_257,
                "md5:a23d0a8564ee84cda5622a6c2f947785",
            ),
            Archive(
                "mirflickr25k_annotations_v080.zip",
                f"{_MIRFLICKR}/mirflickr25k_annotations_v080.zip",
                207_220,
                "md5:aa0138c79892b1b670184d142380948f",
            ),
        ),
        labels.mirflickr,
    ),
    Source(
        "stanford-dogs",
        "Stanford Dogs: 20,580 photographs of 120 breeds, from ImageNet",
        "http://vision.stanford.edu/aditya86/ImageNetDogs/",
        f"ImageNet's terms: {RESEARCH}",
        (
            Archive(
                "images.tar",
                f"{_DOGS}/images.tar",
                793_579_520,
                "md5:1bb1f2a596ae7057f99d7d75860002ef",
            ),
            Archive(
                "lists.tar",
                f"{_DOGS}/lists.tar",
                481_280,
                "md5:edbb9f16854ec66506b5f09b583e0656",
            ),
        ),
        labels.stanford_dogs,
    ),
    Source(
        "places365",
        "Places365-Standard at 256 x 256: 1.8 million photographs of 365 kinds of place",
        "http://places2.csail.mit.edu/download.html",
        f"Places' terms: {RESEARCH}; the copyright is the photographers'",
        (
            Archive(
                "train_256_places365standard.tar",
                f"{_PLACES}/train_256_places365standard.tar",
                26_000_000_000,
                "md5:53ca1c756c3d1e7809517cc47c5561c5",
                "train",
            ),
            Archive(
                "val_256.tar",
                f"{_PLACES}/val_256.tar",
                525_000_000,
                "md5:e27b17d8d44f4af9a78502beb927f808",
                "val",
            ),
            Archive(
                "filelist_places365-standard.tar",
                f"{_PLACES}/filelist_places365-standard.tar",
                68_000_000,
                "md5:35a0585fee1fa656440f3ab298f8479c",
            ),
        ),
        labels.places365,
        f"The photographs are for {RESEARCH}; they may not be passed on.",
    ),
    Source(
        "imagenet",
        "ImageNet (ILSVRC 2012): 1.28 million photographs of 1,000 classes",
        "https://image-net.org/download.php",
        f"ImageNet's terms: {RESEARCH}",
        (
            Archive(
                "ILSVRC2012_img_train.tar",
                size=147_897_477_120,
                hash="md5:1d675b47d978889d74fa0da5fadfb00e",
            ),
            Archive(
                "ILSVRC2012_img_val.tar",
                size=6_744_924_160,
                hash="md5:29b22e2961454d5413ddabcf34fc5622",
            ),
            Archive(
                "ILSVRC2012_devkit_t12.tar.gz",
                size=2_568_145,
                hash="md5:fa75699e90414af021442c21a62c3abf",
            ),
        ),
        labels.imagenet,
        f"You have agreed to ImageNet's terms of access: {RESEARCH}; the copyright is the "
        "photographers', and the pictures may not be passed on.",
    ),
    Source(
        "coco",
        "COCO 2017: 123,287 photographs from Flickr, with objects",
        "https://cocodataset.org/#download",
        "Flickr's terms of use; a licence per picture",
        (
            Archive(
                "train2017.zip",
                f"{_COCO}/zips/train2017.zip",
                19_336_861_798,
                "md5:cced6f7f71b7629ddf16f17bbcfab6b2",
                "train",
            ),
            Archive(
                "val2017.zip",
                f"{_COCO}/zips/val2017.zip",
                815_585_330,
                "md5:442b8da7639aecaf257c1dceb8ba8c80",
                "val",
            ),
            Archive(
                "annotations_trainval2017.zip",
                f"{_COCO}/annotations/annotations_trainval2017.zip",
                252_907_541,
                "md5:f4bbac642086de4f52a3fdda2de5fa2c",
            ),
        ),
        labels.coco,
    ),
    Source(
        "flickr30k",
        "Flickr30k: 31,783 photographs from Flickr, with captions",
        "https://shannon.cs.illinois.edu/DenotationGraph/",
        f"Flickr's terms of use; {RESEARCH}",
        (Archive("", size=4_000_000_000),),
        labels.flickr30k,
        f"The photographs are for {RESEARCH}, under Flickr's terms of use; they may not be passed "
        "on.",
    ),
    Source(
        "art-images",
        "Art images (Kaggle): drawings, paintings, sculptures, engravings, icons",
        "https://www.kaggle.com/datasets/thedownhill/art-images-drawings-painting-sculpture-engraving",
        "not stated by those who gathered them",
        (Archive(""),),
        labels.art_images,
    ),
    Source(
        "anime-scenes",
        "Japanese anime scenes (Kaggle)",
        "https://www.kaggle.com/datasets/weiwangk/japanese-anime-scenes",
        "not stated by those who gathered them",
        (Archive(""),),
        labels.anime_scenes,
    ),
)

SOURCES: Mapping[str, Source] = {source.name: source for source in _ALL}
"""The sources that are archives, by name."""


@dataclass(frozen=True)
class Site:
    """A source that is asked for one picture after the other."""

    name: str
    title: str
    page: str
    license: str
    terms: str


PASTVU = Site(
    "pastvu",
    "PastVu: old photographs, drawings and paintings by place and year",
    "https://pastvu.com",
    "none stated: the author's and the owner's rights; not to be passed on",
    "PastVu gives no licence for its pictures: they belong to their authors and owners. Do not "
    "pass them on; author, source and page of each stand in pictures.csv.",
)
"""PastVu; what it takes to ask it is in `pastvu.py`."""
