"""What LatentDB is compared with. Reads one JSON request a line, answers one."""

import gzip
import json
import os
import sys
import time

import faiss
import numpy as np
import torch
import torch.nn.functional as F

torch.set_num_threads(1)
faiss.omp_set_num_threads(1)


def gemm(m, n, k, trans_a, trans_b, reps):
    """CPU seconds of one product by OpenBLAS, through NumPy."""
    a = np.random.rand(*((k, m) if trans_a else (m, k))).astype(np.float32)
    b = np.random.rand(*((n, k) if trans_b else (k, n))).astype(np.float32)
    a, b = (a.T if trans_a else a), (b.T if trans_b else b)
    out = np.empty((m, n), dtype=np.float32)
    np.dot(a, b, out=out)
    start = time.process_time()
    for _ in range(reps):
        np.dot(a, b, out=out)
    return (time.process_time() - start) / reps


class Net(torch.nn.Module):
    """The model of package embed, in PyTorch."""

    def __init__(self, features, hidden, dim):
        super().__init__()
        self.enc = torch.nn.Linear(features, dim, bias=False)
        self.dec = torch.nn.Linear(dim, features, bias=False)
        self.mlp_e, self.mlp_d = self.mlp([features, *hidden, dim]), self.mlp([dim, *hidden[::-1], features])

    @staticmethod
    def mlp(sizes):
        layers = []
        for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
            layers.append(torch.nn.Linear(a, b))
            if i < len(sizes) - 2:
                layers.append(torch.nn.GELU(approximate="tanh"))
        return torch.nn.Sequential(*layers)

    def encode(self, u):
        return self.enc(u) + self.mlp_e(u)

    def forward(self, u):
        z = self.encode(u)
        return z, self.dec(z) + self.mlp_d(z)


def neighbour_loss(u, z):
    d = torch.cdist(u, u).square()
    e = (z[:, None, :] - z[None, :, :]).square().sum(-1) if z.shape[1] <= 4 else torch.cdist(z, z).square()
    eye = torch.eye(len(u), dtype=torch.bool)
    d, e = d.masked_fill(eye, float("inf")), e.masked_fill(eye, float("inf"))
    least = torch.topk(d, 20, dim=1, largest=False).values
    tau = ((least[:, -1] - least[:, 0]) / 3).clamp_min(1e-6)[:, None]
    log_p, log_q = F.log_softmax(-d / tau, dim=1), F.log_softmax(-e / tau, dim=1)
    p = log_p.exp()
    gap = (log_p - log_q).masked_fill(eye, 0)
    return (p * gap).sum(1).mean()


state = {}


def load(path, hidden, dim, batch):
    with gzip.open(os.path.join(path, "train-images-idx3-ubyte.gz")) as f:
        x = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 784).astype(np.float32) / 255
    x = (x - x.mean(0)) / np.sqrt(x.var(0).mean())
    net = Net(784, hidden, dim)
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3, fused=True)
    state.update(x=torch.from_numpy(x), net=net, opt=opt, batch=batch)
    return {"torch": torch.__version__}


def epoch(steps):
    """CPU seconds of some steps of training."""
    x, net, opt, batch = state["x"], state["net"], state["opt"], state["batch"]
    order = torch.randperm(len(x))
    start = time.process_time()
    for s in range(steps):
        u = x[order[s * batch : (s + 1) * batch]]
        z, out = net(u)
        loss = F.mse_loss(out, u) + 0.1 * neighbour_loss(u, z)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
    return time.process_time() - start


def encode(batch, calls):
    """CPU seconds of some calls of the encoder."""
    x, net = state["x"], state["net"]
    with torch.inference_mode():
        net.encode(x[:batch])
        start = time.process_time()
        for i in range(calls):
            net.encode(x[i * batch : (i + 1) * batch])
        return time.process_time() - start


def quantise(base, queries, width, size, latents):
    """Recall of the true 10 neighbours in the first 10 and 100 of coded rows, by
    faiss's quantisers of a number of bytes. The slow ones, optimised and residual,
    are given the first 128 principal components and learn from 20,000 of the rows.
    With latents, what their files' names end on, those are coded, by the product
    quantiser alone."""
    x = np.fromfile(base, dtype=np.float32).reshape(-1, width)
    q = np.fromfile(queries, dtype=np.float32).reshape(-1, width)
    flat = faiss.IndexFlatL2(width)
    flat.add(x)
    truth = flat.search(q, 10)[1]
    if latents:
        rows = len(x), len(q)
        x, q = (np.fromfile(f + latents, dtype=np.float32).reshape(n, -1) for f, n in zip((base, queries), rows))
    found = {"pq": recalls(truth, faiss.IndexPQ, x, q, size)}
    if not latents:
        if width > 128:
            pca = faiss.PCAMatrix(width, 128)
            pca.train(x)
            x, q = pca.apply(x), pca.apply(q)
        found["opq"] = recalls(truth, optimised, x, q, size)
        found["rq"] = recalls(truth, residual, x, q, size)
    return found


def recalls(truth, make, x, q, size):
    # A product quantiser wants a width that its codes divide.
    x, q = (np.pad(m, ((0, 0), (0, -m.shape[1] % size))) for m in (x, q))
    index = make(x.shape[1], size, 8)
    index.train(x if make is faiss.IndexPQ else x[:20000])
    index.add(x)
    near = index.search(q, 100)[1]
    return {f"r{k}": float(np.mean([len(np.intersect1d(t, n[:k])) / 10 for t, n in zip(truth, near)])) for k in (10, 100)}


def optimised(width, size, bits):
    return faiss.IndexPreTransform(faiss.OPQMatrix(width, size), faiss.IndexPQ(width, size, bits))


def residual(width, size, bits):
    index = faiss.IndexResidualQuantizer(width, size, bits)
    index.rq.use_beam_LUT = 1
    return index


CALLS = {"quantise": quantise, "gemm": gemm, "load": load, "epoch": epoch, "encode": encode}

for line in sys.stdin:
    request = json.loads(line)
    name = request.pop("call")
    print(json.dumps(CALLS[name](**request)), flush=True)
