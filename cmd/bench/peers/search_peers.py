"""What search is compared with: libraries of nearest neighbours, on one thread.
Reads one JSON request a line, answers one. A library that is not installed, or
that refuses to build here, is answered with the reason."""

import ctypes
import gc
import importlib
import importlib.metadata
import json
import os
import sys
import tempfile
import time

import numpy as np

K = 10
WIDTHS = (10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320, 448, 640, 896)
data = {}  # base and queries, row by row, and how distance is measured
built = {}  # name of a variant: a function of queries and one setting


def resident():
    """Bytes of memory that is no file's."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith("RssAnon:"))


def hnswlib(x, cosine, keep=""):
    import hnswlib

    index = hnswlib.Index(space="cosine" if cosine else "l2", dim=x.shape[1])
    if keep and os.path.exists(keep):
        index.load_index(keep)
    else:
        index.init_index(max_elements=len(x), M=16, ef_construction=200)
        index.add_items(x, num_threads=1)
        if keep:
            index.save_index(keep)

    def search(q, ef):
        index.set_ef(ef)
        return index.knn_query(q, k=K, num_threads=1)[0]

    return search


def usearch(x, cosine):
    from usearch.index import Index

    index = Index(ndim=x.shape[1], metric="cos" if cosine else "l2sq", dtype="f32", connectivity=16, expansion_add=200)
    index.add(np.arange(len(x)), x, threads=1)

    def search(q, ef):
        index.expansion_search = ef
        return index.search(q, K, threads=1).keys

    return search


def faiss(x, cosine, lists, codes):
    """IVF with product codes of 4 bits and fast scan, refined by the rows as they are."""
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.index_factory(x.shape[1], f"IVF{lists},PQ{codes}x4fs,RFlat")
    index.train(x)
    index.add(x)

    def search(q, nprobe, k_factor):
        faiss.extract_index_ivf(index.base_index).nprobe = nprobe
        index.k_factor = k_factor
        return index.search(q, K)[1]

    return search


def svs(x, cosine, dims, primary, secondary):
    """LeanVec: a graph over reduced and quantised rows, reranked by a second code.
    Without dims: its graph over rows of 16 bits."""
    import svs

    svs.logging.set_level(svs.logging.level.error)
    parameters = svs.VamanaBuildParameters(alpha=1.2, graph_max_degree=32, window_size=200)
    if not dims:
        index = svs.Vamana.build(parameters, x.astype(np.float16), svs.DistanceType.L2, num_threads=1)
    else:
        with open("/proc/cpuinfo") as f:
            if "GenuineIntel" not in f.read():  # its library ends the process
                raise RuntimeError("LeanVec works on processors by Intel only")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "base.fvecs")
            svs.write_vecs(x, path)
            kinds = (getattr(svs.LeanVecKind, kind) for kind in (primary, secondary))
            loader = svs.LeanVecLoader(svs.VectorDataLoader(path, svs.DataType.float32, dims=x.shape[1]), dims, *kinds)
            index = svs.Vamana.build(parameters, loader, svs.DistanceType.L2, num_threads=1)

    def search(q, window, capacity):
        p = index.search_parameters
        p.buffer_config = svs.SearchBufferConfig(window, capacity)
        index.search_parameters = p
        return index.search(q, K)[0]

    return search


def scann(x, cosine, leaves, block):
    import scann

    builder = scann.scann_ops_pybind.builder(x, K, "dot_product" if cosine else "squared_l2")
    builder.set_n_training_threads(1)
    index = (
        builder.tree(num_leaves=leaves, num_leaves_to_search=leaves // 10, training_sample_size=len(x))
        .score_ah(block, anisotropic_quantization_threshold=0.2 if cosine else float("nan"))
        .reorder(100)
        .build()
    )

    def search(q, leaves, reorder):
        return index.search_batched(q, K, reorder, leaves)[0]

    return search


def variants():
    """What is built of each library, and the settings that are tried."""
    n, d = data["base"].shape
    lists = max(16, int(2 * n**0.5) // 64 * 64)
    some = [(p, k) for p in (2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128) for k in (2, 4, 8, 16, 32, 64)]
    out = {"hnswlib": (hnswlib, {}, [(w,) for w in WIDTHS]), "usearch": (usearch, {}, [(w,) for w in WIDTHS])}
    for codes in sorted({c for c in (d // 2, d // 4, d // 8) if d % c == 0}):
        out[f"faiss IVF{lists},PQ{codes}x4fs,RFlat"] = (faiss, {"lists": lists, "codes": codes}, some)
    buffers = [(w, c) for w in WIDTHS for c in (w, 2 * w, 4 * w)]
    out["svs Vamana float16"] = (svs, {"dims": 0, "primary": "", "secondary": ""}, buffers[::3])
    for dims in (64, 128) if d > 128 else (48, 64):
        for primary in ("lvq4", "lvq8"):
            kinds = {"dims": dims, "primary": primary, "secondary": "lvq8"}
            out[f"svs LeanVec {dims} {primary} lvq8"] = (svs, kinds, buffers)
    for block in (2, 4):
        out[f"scann {lists} leaves, blocks of {block}"] = (
            scann,
            {"leaves": lists, "block": block},
            [(p, K * k) for p, k in some],
        )
    return out


def load(base, queries, width, cosine):
    """What there is to compare with on some rows: variant by variant the library
    and the settings as text."""
    data["base"], data["queries"] = (np.fromfile(p, dtype=np.float32).reshape(-1, width) for p in (base, queries))
    data["cosine"] = cosine
    data["variants"] = variants()
    return [
        {"name": name, "library": make.__name__, "knobs": [" ".join(map(str, k)) for k in knobs]}
        for name, (make, _, knobs) in data["variants"].items()
    ]


def build(name, keep):
    """keep is where indexes stay for other runs: hnswlib's, which is slow to build.
    One that was kept has no time of building, which is 0."""
    make, parameters, _ = data["variants"][name]
    kept = False
    if keep and make is hnswlib:
        parameters = {"keep": f"{keep}-{name}"}
        kept = os.path.exists(parameters["keep"])
    before, start = resident(), time.process_time()
    try:
        built[name] = make(data["base"], data["cosine"], **parameters)
    except Exception as e:  # whatever a library says is the reason
        return {"reason": f"{type(e).__name__}: {e}"}
    seconds = time.process_time() - start
    package = {"faiss": "faiss-cpu", "svs": "scalable-vs"}.get(make.__name__, make.__name__)
    return {
        "seconds": 0 if kept else seconds,
        "bytes": resident() - before,
        "version": importlib.metadata.version(package),
    }


def search(name, knob, lo, hi, rounds, out):
    """CPU seconds of a batch, asked some rounds; the ids go to a file, as int32."""
    q, setting = data["queries"][lo:hi], data["variants"][name][2][knob]
    built[name](q[:10], *setting)
    start = time.process_time()
    for _ in range(rounds):
        ids = built[name](q, *setting)
    seconds = time.process_time() - start
    np.ascontiguousarray(ids, dtype=np.int64).astype(np.int32).tofile(out)
    return seconds


def drop(name):
    built.pop(name, None)
    gc.collect()
    return True


CALLS = {"load": load, "build": build, "search": search, "drop": drop}
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # libraries may print

for line in sys.stdin:
    request = json.loads(line)
    call = request.pop("call")
    print(json.dumps(CALLS[call](**request)), file=answers, flush=True)
