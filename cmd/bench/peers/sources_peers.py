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


CALLS = {"crossings": crossings}


def main():
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(CALLS[request.pop("call")](**request)), flush=True)


main()
