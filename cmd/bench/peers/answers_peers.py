"""What strange points, duplicates, samples and predictions are compared with, on one
thread. Reads one JSON request a line, answers one."""

import json
import sys
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")


def table(path):
    """Rows and labels of a gzipped CSV whose last column is the label."""
    import gzip

    with gzip.open(path, "rt") as f:
        rows = np.genfromtxt(f, delimiter=",", skip_header=1)
    return rows[:, :-1], rows[:, -1].astype(int)


def detectors(path, trusted, rest):
    """AUROC of pyod's detectors, of all rows among themselves and of the rest beside the
    trusted ones, and CPU seconds of the former."""
    from pyod.models import auto_encoder, cblof, copod, dif, ecod, hbos, iforest, inne, knn, lof, mcd
    from sklearn.metrics import roc_auc_score
    from sklearn.preprocessing import StandardScaler

    makers = {
        "IForest": iforest.IForest, "ECOD": ecod.ECOD, "kNN": knn.KNN, "LOF": lof.LOF, "HBOS": hbos.HBOS,
        "CBLOF": cblof.CBLOF, "COPOD": copod.COPOD, "MCD": mcd.MCD, "INNE": inne.INNE, "DIF": dif.DIF,
        "AutoEncoder": auto_encoder.AutoEncoder,
    }
    x, y = table(path)
    out = {}
    for name, make in makers.items():
        seeded = {"random_state": 1} if name in ("IForest", "CBLOF", "MCD", "INNE", "DIF", "AutoEncoder") else {}
        try:
            scaled = StandardScaler().fit_transform(x)
            began = time.process_time()
            among = make(**seeded).fit(scaled).decision_scores_
            seconds = time.process_time() - began
            scale = StandardScaler().fit(x[trusted])
            beside = make(**seeded).fit(scale.transform(x[trusted])).decision_function(scale.transform(x[rest]))
            out[name] = [
                roc_auc_score(y, np.nan_to_num(among, posinf=1e300)), roc_auc_score(y[rest], np.nan_to_num(beside, posinf=1e300)), seconds,
            ]
        except Exception as failure:
            print(f"{name} on {path}: {failure}", file=sys.stderr)
            out[name] = [0.5, 0.5, 0]
    return out


def near_texts(texts, words):
    """CPU seconds of semhash's deduplication of texts, and how many stay. Its own models
    are downloads, so words have the vectors of a folder: GloVe, 100 dimensions."""
    from model2vec import StaticModel
    from semhash import SemHash
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    with open(words + "/words.txt") as f:
        known = f.read().split()
    vectors = np.load(words + "/vectors.npy").astype(np.float32)
    vocabulary = {word: i + 1 for i, word in enumerate(known)} | {"[UNK]": 0}
    tokenizer = Tokenizer(models.WordLevel(vocab=vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    model = StaticModel(vectors=np.vstack([np.zeros((1, vectors.shape[1]), np.float32), vectors]), tokenizer=tokenizer, normalize=True)
    began = time.process_time()
    kept = SemHash.from_records(records=texts, model=model).self_deduplicate().selected
    return {"seconds": time.process_time() - began, "kept": len(kept)}


CALLS = {"near_texts": near_texts, "detectors": detectors}


def main():
    out, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(CALLS[request.pop("call")](**request)), file=out, flush=True)


main()
