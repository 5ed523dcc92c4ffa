"""The releases that FETA-Friends was made of, each at a fixed commit of its official repository.

Each set has its own licence, and the transcripts belong to their owner, so that users download them themselves. Files
without a digest are optional; they were not available when this list was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dfwe.data.fetch import Release


def _release(repository: str, commit: str, source: str, folder: str, sha256: str | None) -> Release:
    """Return the release of a repository's file, stored under its own name in the folder of its set."""
    path = f"{folder}/{source.rpartition('/')[2]}"
    url = f"https://raw.githubusercontent.com/{repository}/{commit}/{source}"
    return Release(path=path, url=url, sha256=sha256)


# (repository, commit, folder of the set) to {path in the repository: sha256}
_FILES: Final[Mapping[tuple[str, str, str], Mapping[str, str | None]]] = {
    ("declare-lab/MELD", "2d2011b409d3ca2d7e94460cd007d434b1d0a102", "meld"): {
        "data/MELD/train_sent_emo.csv": "d2fa2d6529cf03cac2989efec05c9b27d8fd2f4c8fc5974c7ae88aa537fa02db",
        "data/MELD/dev_sent_emo.csv": "2e89c6f8aa182d6f62f8c6331aece905ac7273ca4999660bfb5213e1d0370c1c",
        "data/MELD/test_sent_emo.csv": "8d37103938f7067600839fe29d5a114a6cd1bcdafb75bec101e06464c5006888",
    },
    ("declare-lab/MELD", "2d2011b409d3ca2d7e94460cd007d434b1d0a102", "emory_emotion"): {
        "data/emorynlp/emorynlp_train_final.csv": "462c66c333783adb801836d12d1424f48489bef4fb8ddfec7fbb2f08ce8211d5",
        "data/emorynlp/emorynlp_dev_final.csv": "20edc9d5917fe705b17b849f7f288e495d4132a60353a6247c3800445bdf8734",
        "data/emorynlp/emorynlp_test_final.csv": "dbc4b5638acd12c92a5f48def829e04f1c765cddffb4eedbe34216312e0d2d78",
    },
    ("emorynlp/emotion-detection", "289b967a34556f0d86b52ea36571c2a0c90740ae", "emory_emotion"): {
        "json/emotion-detection-trn.json": None,
        "json/emotion-detection-dev.json": "177f0b8ae5442045ea60e6f7940e14b1a8c15c704201f01da1ba74943f99086e",
        "json/emotion-detection-tst.json": "2da84b0bffbc9da2f3b9de8016c2d3ae5478e6ccb26d473313368373b427dedc",
    },
    ("emorynlp/reading-comprehension", "274fc46828c83b2bcfddefa066873433cdd0a27a", "reading_comprehension"): {
        "json/reading-comprehension-trn.json": None,
        "json/reading-comprehension-dev.json": "a4f69516969ab4c2e7a80cf8e3a766e8e0ef0789908c4b82fc704f0b53a8806f",
        "json/reading-comprehension-tst.json": "a7af120bd070106e761e34c3f2fb83c1452dd47df76351f3db3b9aa0b7834478",
    },
    ("Mayer123/Multiparty-Dialog-RC", "95e230664820942cb3fb0c192fde510e5b12f987", "reading_comprehension"): {
        "dialog_rc_data/json-25.zip": "93042b961cf1517ad7bed46071089ce018f9c6392ee3377af161decdbc3b5e01",
    },
    ("emorynlp/FriendsQA", "9ce6c98a6acf13c87d96b6811e4409b5de43bdfe", "question_answering"): {
        "dat/friendsqa_trn.json": "d63685693b30cee5d33b7cf2e6408cd284c05e49be1b3b06954c4d01cfe1c91b",
        "dat/friendsqa_dev.json": "3a85d3fcb175589ffd050fb4bf431da77a6e12589c8ec03f1d54060ce33ec703",
        "dat/friendsqa_tst.json": "a98f24d4b04ac9f8d9468088febf304bd90eada134537277c1a425e31c0372bc",
    },
    ("emorynlp/character-identification", "5c47347aeff7ff8a16460b6f38637bc47a2efa1b", "character_identification"): {
        "json/character-identification-trn.json": None,
        "json/character-identification-dev.json": "304e1db4cdb5f674a7870df1fd3019d432a7b86b6e47628289e870f44638c332",
        "json/character-identification-tst.json": "adf3fc03eb9f9ce7fe915064a2824d714a9918987763908b0ea565cc4ffbe89d",
    },
    ("emorynlp/personality-detection", "3ec08a58dc7c708c5dfc314b3bff8f5808786928", "personality"): {
        "CSV/friends-personality.csv": "89c9d0785eb21570899f1d9202284aee48be1698ce89664f1283c73c4a6b7cd3",
    },
    ("nlpdata/dialogre", "b23e6cd7d811a68cf0aafa40e299143b857964e2", "dialogre"): {
        "data/train.json": "4ddee624c9f241451c455a4c1eb1d7a97f916c8bec9cd10444c97c09f5902236",
        "data/dev.json": "12f783d1cecd3646a542709898eb8b7af4d14bbfe676cd402dadebb870718f5c",
        "data/test.json": "198402e8a6d2f4c7d05e41a41231a97ec0381aa7f7fceb1b3a42e786336eab89",
    },
    ("emorynlp/character-mining", "a5b07f36a64f67ceeec500ef8c8d02d10bb173e8", "character_mining"): {
        **{f"json/friends_season_{season:02d}.json": None for season in range(1, 10)},
        "json/friends_season_10.json": "45bf5139aabd80e4bef025de858ba7893152698a5ba2fdac2f5d2c67962c8e81",
    },
}

RELEASES: Final[tuple[Release, ...]] = tuple(
    _release(repository, commit, source, folder, sha256)
    for (repository, commit, folder), files in _FILES.items()
    for source, sha256 in files.items()
)

# the merged corpus with its official splits; `confirm` answers the page that Google Drive puts before large files
TLIDB: Final = Release(
    path="TLiDB_Friends.zip",
    url="https://drive.usercontent.google.com/download?id=1QK_XX-d38fKeJlcTcoMT9ku3VZn6bv6H&export=download&confirm=t",
    sha256=None,
)
