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


CALLS = {"detectors": detectors}


def main():
    out, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(CALLS[request.pop("call")](**request)), file=out, flush=True)


main()
