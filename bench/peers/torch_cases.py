#!/usr/bin/env python3
"""PyTorch, eager, on the elementwise cases of bench/cases.c: forward and gradient, f32.

    python3 bench/peers/torch_cases.py [threads]

Prints case,dtype,n,threads,torch_ns (medians of at least 7 samples of at least 2 ms), to be laid beside
`./run bench --csv` run in the same minute.  Does nothing, with a note, where torch cannot be imported."""
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    sys.exit("torch_cases: PyTorch is not installed; nothing is measured")


def mse(p, y):
    return (p - y).square().mean()


def huber(p, y):
    d = p - y
    a = d.abs()
    return torch.where(a <= 1, 0.5 * d * d, a - 0.5).mean()


def bounded_mse(p, y):
    return mse(p, y) + 10 * (torch.relu(0 - p).square().mean() + torch.relu(p - 1).square().mean())


def bce(x, y):
    return (F.softplus(x) - x * y).mean()


def focal(x, y):
    p = torch.sigmoid(x)
    right = p * y + (1 - p) * (1 - y)
    return ((0.25 * y + 0.75 * (1 - y)) * (1 - right).square() * (F.softplus(x) - x * y)).mean()


def step(loss, p, y):
    p.grad = None
    loss(p, y).backward()


def measure(loss, p, y):
    """Median nanoseconds of a step."""
    repeats, samples = 1, []
    step(loss, p, y)
    while len(samples) < 7:
        start = time.perf_counter()
        for _ in range(repeats):
            step(loss, p, y)
        elapsed = time.perf_counter() - start
        if elapsed < 2e-3:
            repeats *= 2
            samples = []
        else:
            samples.append(elapsed / repeats)
    return 1e9 * sorted(samples)[len(samples) // 2]


def main():
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    torch.set_num_threads(threads)
    print("case,dtype,n,threads,torch_ns")
    for loss in (mse, huber, bounded_mse, bce, focal):
        for n in (100, 1000, 100000, 1000000, 10000000):
            p = (6 * torch.rand(n) - 3).requires_grad_()
            y = torch.rand(n)
            if loss in (bce, focal):
                y = (y > 0.5).float()
            print(f"{loss.__name__},f32,{n},{threads},{measure(loss, p, y):.0f}", flush=True)


main()
