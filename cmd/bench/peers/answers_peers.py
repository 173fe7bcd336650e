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


LONGEST = 240  # CPU seconds of one detector on one set


def detectors(path, trusted, rest):
    """AUROC of pyod's detectors, of all rows among themselves and of the rest beside the
    trusted ones, and CPU seconds of the former; without those that fail or take longer
    than a set may."""
    import signal

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

    def stop(*_):
        raise TimeoutError(f"took more than {LONGEST} CPU seconds")

    signal.signal(signal.SIGPROF, stop)
    for name, make in makers.items():
        signal.setitimer(signal.ITIMER_PROF, LONGEST)
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
    signal.setitimer(signal.ITIMER_PROF, 0)
    return out


def nearest(x, labels):
    """The labels of the rows that have none, by scikit-learn's kNN with the number of
    neighbours and the weights that are best in 5 folds of the others."""
    from sklearn.model_selection import GridSearchCV
    from sklearn.neighbors import KNeighborsClassifier

    n = len(labels)
    grid = {"n_neighbors": [1, 3, 5, 10, 20, 50], "weights": ["uniform", "distance"], "metric": ["cosine"]}
    search = GridSearchCV(KNeighborsClassifier(algorithm="brute"), grid, cv=5).fit(x[:n], labels)
    return [str(v) for v in search.predict(x[n:])]


def knn_texts(texts, labels):
    """Labels of the latter texts by TF-IDF of words and pairs of them."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    n = len(labels)
    tfidf = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)).fit(texts[:n])
    return nearest(tfidf.transform(texts), labels)


def knn_sounds(sounds, labels):
    """Labels of the latter recordings by 20 cepstra in 32 frames, standardised."""
    import base64
    import io

    import librosa
    from sklearn.preprocessing import StandardScaler

    rows = []
    for data in sounds:
        wave, rate = librosa.load(io.BytesIO(base64.b64decode(data)), sr=None)
        c = librosa.feature.mfcc(y=wave, sr=rate, n_mfcc=20, n_fft=256, hop_length=80)
        at = np.linspace(0, c.shape[1] - 1, 32)
        rows.append(np.concatenate([np.interp(at, np.arange(c.shape[1]), r) for r in c]))
    x = np.array(rows)
    return nearest(StandardScaler().fit(x[: len(labels)]).transform(x), labels)



def frame(columns, categories, times):
    """A table as pandas has it: categories as text, a time as its parts."""
    import pandas as pd

    out = {}
    for name, values in columns.items():
        if name in times:
            at = pd.to_datetime(pd.Series(values), errors="coerce")
            parts = {"hour": at.dt.hour, "weekday": at.dt.weekday, "day": at.dt.day, "month": at.dt.month, "year": at.dt.year}
            out.update({f"{name} {part}": v.astype(float) for part, v in parts.items()})
        elif name in categories or any(isinstance(v, (str, bool)) for v in values):
            out[name] = pd.Series([None if v is None else str(v) for v in values], dtype=object)
        else:
            out[name] = pd.Series(values, dtype=float)
    return pd.DataFrame(out)


def coded(rows, like):
    """Rows as numbers, categories by their place among those of another table."""
    out = np.empty(rows.shape)
    for j, name in enumerate(rows):
        v = rows[name]
        if v.dtype == object:
            levels = {level: i for i, level in enumerate(sorted(like[name].dropna().unique()))}
            out[:, j] = [np.nan if x is None or x != x else levels.get(x, -1) for x in v]
        else:
            out[:, j] = v
    return out


def copula(rows, n, rng):
    """Samples of a Gaussian copula: normal scores of each column, their correlations, and
    the column's own quantiles; categories as steps of a uniform, missing values at their rate."""
    import pandas as pd
    from scipy.stats import norm

    scores, inverse = [], []
    for name in rows:
        v = rows[name]
        there = v.dropna()
        if len(there) == 0:
            scores.append(np.zeros(len(v)))
            inverse.append((name, v, 1.0, there))
            continue
        order = there.sort_values(kind="stable")
        rank = v.rank(method="first") if v.dtype != object else v.map({x: i for i, x in enumerate(sorted(there.unique()))}).rank(method="first")
        u = ((rank - 0.5) / len(there)).fillna(0.5)
        scores.append(norm.ppf(u))
        inverse.append((name, v, v.isna().mean(), order))
    with np.errstate(all="ignore"):
        c = np.nan_to_num(np.corrcoef(np.array(scores)))
    np.fill_diagonal(c, 1)
    values, vectors = np.linalg.eigh(c)
    z = rng.standard_normal((n, len(c))) * np.sqrt(np.maximum(values, 0)) @ vectors.T
    z /= np.maximum(z.std(0), 1e-9)
    out = {}
    for j, (name, v, missing, order) in enumerate(inverse):
        if len(order) == 0:
            out[name] = pd.Series([None] * n, dtype=v.dtype)
            continue
        at = np.minimum((norm.cdf(z[:, j]) * len(order)).astype(int), len(order) - 1)
        x = pd.Series(order.to_numpy()[at], dtype=v.dtype)
        x[rng.random(n) < missing] = None
        out[name] = x
    return pd.DataFrame(out)


def told_apart(a, b):
    """AUROC of boosted trees that tell two tables apart, of rows they were not trained on."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    x, y = np.vstack([a, b]), np.repeat([0, 1], [len(a), len(b)])
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    p = cross_val_predict(HistGradientBoostingClassifier(random_state=0), x, y, cv=folds, method="predict_proba")
    return roc_auc_score(y, p[:, 1])


def learned(train, test, like, target):
    """Accuracy, or R² of normal scores, of boosted trees on test rows."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.metrics import accuracy_score, r2_score
    from sklearn.preprocessing import QuantileTransformer

    j = list(like).index(target)
    x, t = coded(train, like), coded(test, like)
    y, truth = x[:, j], t[:, j]
    x, t = np.delete(x, j, 1)[~np.isnan(y)], np.delete(t, j, 1)[~np.isnan(truth)]
    y, truth = y[~np.isnan(y)], truth[~np.isnan(truth)]
    if like[target].dtype == object:
        return accuracy_score(truth, HistGradientBoostingClassifier(random_state=0).fit(x, y).predict(t))
    scale = QuantileTransformer(output_distribution="normal", random_state=0).fit(coded(like, like)[:, [j]])
    y, truth = scale.transform(y[:, None])[:, 0], scale.transform(truth[:, None])[:, 0]
    return r2_score(truth, HistGradientBoostingRegressor(random_state=0).fit(x, y).predict(t))


def closer(rows, train, held):
    """Share of rows that are closer to training than to held-out ones, ties half: by
    standardised numbers and one-hot categories."""
    from sklearn.neighbors import NearestNeighbors

    def wide(v):
        parts = []
        for name in train:
            if train[name].dtype == object:
                parts += [(v[name] == level).to_numpy(float) for level in sorted(train[name].dropna().unique())]
            else:
                mean, spread = train[name].mean(), train[name].std() or 1
                parts.append(((v[name] - mean) / spread).fillna(0).to_numpy(float))
                if train[name].isna().any():
                    parts.append(v[name].isna().to_numpy(float))
        return np.array(parts).T

    x = wide(rows)
    a, b = (NearestNeighbors(n_neighbors=1).fit(wide(side)).kneighbors(x)[0][:, 0] for side in (train, held))
    same = np.isclose(a, b, rtol=1e-9, atol=1e-12)
    return float(((a < b) & ~same).mean() + same.mean() / 2)


def samples(train, held, ours, categories, times, target):
    """Scores of samples, of the training rows themselves and of a copula's, all beside
    held-out rows."""
    from sdmetrics.reports.single_table import QualityReport

    categories, times = categories or [], times or []
    train, held, ours = (frame(v, categories, times) for v in (train, held, ours))
    sides = {"real": train, "ours": ours, "copula": copula(train, len(train), np.random.default_rng(1))}
    metadata = {"columns": {name: {"sdtype": "categorical" if train[name].dtype == object else "numerical"} for name in train}}
    out = {}
    for name, rows in sides.items():
        report = QualityReport()
        report.generate(held, rows, metadata, verbose=False)
        properties = report.get_properties().set_index("Property")["Score"]
        out[name] = {
            "shapes": float(properties["Column Shapes"]), "pairs": float(properties["Column Pair Trends"]),
            "told": told_apart(coded(rows, train), coded(held, train)), "learned": learned(rows, held, train, target),
            "closer": closer(rows, train, held) if name != "real" else 1.0,
        }
    return out


def digits(width, train, others, **drawn):
    """Fréchet's distance of drawn vectors to others', in 50 principal components of the
    training vectors, and what share of the others lies within the distance to the 5th
    neighbour among the drawn of one of these."""
    from scipy.linalg import sqrtm
    from sklearn.decomposition import PCA
    from sklearn.neighbors import NearestNeighbors

    def read(path):
        return np.fromfile(path, dtype="<f4").reshape(-1, width)

    space = PCA(50, random_state=0).fit(read(train))
    real = space.transform(read(others))
    out = {}
    for name, path in drawn.items():
        x = space.transform(read(path))
        a, b = np.cov(x.T), np.cov(real.T)
        distance = ((x.mean(0) - real.mean(0)) ** 2).sum() + np.trace(a + b - 2 * np.real(sqrtm(a @ b)))
        some = real[:: max(1, len(real) // len(x))][: len(x)]
        reach = NearestNeighbors(n_neighbors=6).fit(x).kneighbors(x)[0][:, 5]
        covered = np.zeros(len(some), bool)
        for lo in range(0, len(some), 500):
            part = some[lo : lo + 500]
            d = np.sqrt(np.maximum((part**2).sum(1)[:, None] + (x**2).sum(1) - 2 * part @ x.T, 0))
            covered[lo : lo + 500] = (d <= reach).any(1)
        out[name] = {"distance": float(distance), "recall": float(covered.mean())}
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


CALLS = {f.__name__: f for f in (detectors, digits, knn_sounds, knn_texts, near_texts, samples)}


def main():
    out, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(CALLS[request.pop("call")](**request)), file=out, flush=True)


main()
