"""What the front ends of kinds of records are compared with, on one thread. Reads one
JSON request a line, answers one."""

import json
import sys

import numpy as np


def knn_accuracy(train, labels, test, truth, k=10):
    """Share of test rows that most of their k nearest training rows are labelled like."""
    from sklearn.neighbors import KNeighborsClassifier

    model = KNeighborsClassifier(k).fit(np.asarray(train), labels)
    return float((model.predict(np.asarray(test)) == np.asarray(truth)).mean())


def table_knn(train, labels, test, truth, number, k=10):
    """10 nearest neighbours among standardised and one-hot columns, what occurs once
    pooled. The score is accuracy, or R squared of a number; the width that of the
    columns."""
    from sklearn.impute import SimpleImputer
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    parts = []
    if train["numeric"][0]:
        numeric = make_pipeline(SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler())
        as_numbers = lambda rows: np.asarray([[np.nan if v is None else v for v in r] for r in rows], dtype=float)
        parts.append((numeric.fit_transform(as_numbers(train["numeric"])), numeric.transform(as_numbers(test["numeric"]))))
    if train["category"][0]:
        category = OneHotEncoder(min_frequency=2, handle_unknown="infrequent_if_exist", sparse_output=False)
        parts.append((category.fit_transform(np.asarray(train["category"], dtype=object)), category.transform(np.asarray(test["category"], dtype=object))))
    rows, queries = (np.hstack([p[i] for p in parts]) for i in (0, 1))
    model = (KNeighborsRegressor if number else KNeighborsClassifier)(k).fit(rows, labels)
    return {"score": float(model.score(queries, truth)), "width": rows.shape[1]}


def spoken_row(path, features):
    """librosa's features of a clip without the silence around it, of 32 frames."""
    import librosa

    sound, rate = librosa.load(path, sr=None)
    window = rate // 50
    sound, _ = librosa.effects.trim(sound, top_db=40, frame_length=window, hop_length=window // 2)
    mel = librosa.feature.melspectrogram(
        y=sound, sr=rate, n_fft=256, win_length=window, hop_length=max(1, -(-len(sound) // 32)), n_mels=40, fmin=20
    )
    level = librosa.power_to_db(mel, ref=np.max)
    if features == "mfcc":
        level = librosa.feature.mfcc(S=level, n_mfcc=20) * (1 + 0.1 * np.arange(20))[:, None]
    row = np.zeros((len(level), 32))
    n = min(32, level.shape[1])
    row[:, :n] = level[:, :n]
    row[:, n:] = level[:, n - 1 : n]
    return row.ravel()


def spoken(features, train, labels, test, truth, k):
    """knn_accuracy of clips by such features."""
    rows = [[spoken_row(path, features) for path in paths] for paths in (train, test)]
    return knn_accuracy(rows[0], labels, rows[1], truth, k)


def crossings(fit, left, right, from_, to):
    """Shares of records that find their match by the cosine of TF-IDF of pieces of words in
    one space for both sides: in the first 10 of both sides' records, in the first 10 of
    the other side's, and first of those."""
    from scipy.sparse import vstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    model = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5)).fit(fit)
    sides = model.transform(left), model.transform(right)
    ranks = [[], []]
    for queries, others, a, b in ((*sides, from_, to), (*sides[::-1], to, from_)):
        for i, among in enumerate((vstack([others, queries]), others)):
            scores = (queries[a] @ among.T).toarray()
            ranks[i].append((scores > scores[range(len(a)), b][:, None]).sum(1))
    both, other = (np.concatenate(r) for r in ranks)
    return [float((both < 10).mean()), float((other < 10).mean()), float((other < 1).mean())]


def tfidf(texts, spam, alike=None, labels=None):
    """The better of two TF-IDFs: by pieces of words, and by words and pieces. Judged by the
    rank correlation of the cosines of pairs; or by the labels of the 10 nearest, their
    precision or the F1 of the label spam."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5)).fit_transform(texts)
    words = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b").fit_transform(texts)
    both = normalize(hstack([pieces, words]).tocsr())
    return max(judged(rows, spam, alike, labels) for rows in (pieces, both))


def judged(rows, spam, alike, labels):
    if alike is not None:
        from scipy.stats import spearmanr

        n = len(alike)
        cosines = np.asarray(rows[:n].multiply(rows[n:]).sum(1)).ravel()
        return float(spearmanr(cosines, alike)[0])
    labels = np.asarray(labels)
    nearest = []
    for start in range(0, rows.shape[0], 500):
        scores = (rows[start : start + 500] @ rows.T).toarray()
        scores[np.arange(len(scores)), start + np.arange(len(scores))] = -1
        nearest.append(np.argpartition(-scores, 10, axis=1)[:, :10])
    near = labels[np.concatenate(nearest)]
    if not spam:
        return float((near == labels[:, None]).mean())
    called, truly = (near == spam).sum(1) > 5, labels == spam
    return float(2 * (called & truly).sum() / (called.sum() + truly.sum()))


CALLS = {f.__name__: f for f in (crossings, spoken, table_knn, tfidf)}


def main():
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(CALLS[request.pop("call")](**request)), flush=True)


main()
