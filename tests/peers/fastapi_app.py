"""What `make bench-peers` measures Strongroom against: a classifier of images as many serve it, tuned as one would.

Usage: fastapi_app.py BUNDLE.json PORT WORKERS THREADS [--draft]    THREADS is what one worker's session uses
       BUNDLE.json: {"model", "labels", "softmax", "shorter_side", "interpolation", "scale", "mean", "std"}
"""

import asyncio
import io
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import fastapi
import numpy as np
import onnxruntime
import orjson
import uvicorn
from PIL import Image

SIDE, BEST = 224, 5


class Classifier:
    def __init__(self, bundle: dict, threads: int, draft: bool):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        begun = time.perf_counter()
        self.session = onnxruntime.InferenceSession(bundle["model"], options, providers=["CPUExecutionProvider"])
        self.load_ms = (time.perf_counter() - begun) * 1000
        self.input = self.session.get_inputs()[0].name
        self.labels, self.softmax, self.draft = bundle["labels"], bundle["softmax"], draft
        self.shorter_side = bundle["shorter_side"]
        self.interpolation = Image.Resampling[bundle["interpolation"].upper()]
        mean, std = (np.array(bundle[name], np.float32).reshape(3, 1, 1) for name in ("mean", "std"))
        self.factor, self.offset = np.float32(bundle["scale"]) / std, -mean / std

    def pixels(self, body: bytes) -> np.ndarray:
        photo = Image.open(io.BytesIO(body))
        if self.draft:
            photo.draft("RGB", (self.shorter_side or SIDE,) * 2)
        photo = photo.convert("RGB")
        if self.shorter_side:
            photo = self.middle(photo)
        else:
            photo = photo.resize((SIDE, SIDE), self.interpolation)
        channels = np.asarray(photo).transpose(2, 0, 1).astype(np.float32, order="C")
        channels *= self.factor
        channels += self.offset
        return channels[None]

    def middle(self, photo: Image.Image) -> Image.Image:
        """As torchvision's Resize and CenterCrop."""
        shorter = min(photo.size)
        width, height = (int(self.shorter_side * side / shorter) for side in photo.size)
        left, top = round((width - SIDE) / 2), round((height - SIDE) / 2)
        return photo.resize((width, height), self.interpolation).crop((left, top, left + SIDE, top + SIDE))

    def answer(self, body: bytes) -> list[dict]:
        scores = self.session.run(None, {self.input: self.pixels(body)})[0][0]
        if self.softmax:
            scores = np.exp(scores - scores.max())
            scores /= scores.sum()
        best = np.argpartition(scores, -BEST)[-BEST:]
        best = best[np.argsort(-scores[best])]
        return [{"label": self.labels[index], "score": float(scores[index])} for index in best]


def application() -> fastapi.FastAPI:
    """What each worker runs."""
    setting = json.loads(os.environ["PEER"])
    classifier = Classifier(setting["bundle"], setting["threads"], setting["draft"])
    # Pillow and onnxruntime leave Python's lock free: one image is decoded while another runs.
    threads = ThreadPoolExecutor(setting["threads"])
    app = fastapi.FastAPI()

    @app.get("/ping")
    async def ping():
        return {"load_ms": classifier.load_ms}

    @app.post("/invocations")
    async def invocations(request: fastapi.Request):
        body = await request.body()
        answer = await asyncio.get_running_loop().run_in_executor(threads, classifier.answer, body)
        return fastapi.Response(orjson.dumps(answer), media_type="application/json")

    return app


def main(bundle: str, port: str, workers: str, threads: str, draft: bool):
    with open(bundle) as file:
        setting = {"bundle": json.load(file), "threads": int(threads), "draft": draft}
    os.environ["PEER"] = json.dumps(setting)
    # With its default for workers, uvicorn takes a worker for dead that loads a large model for long.
    uvicorn.run(
        "fastapi_app:application",
        factory=True,
        app_dir=os.path.dirname(__file__),
        host="127.0.0.1",
        port=int(port),
        workers=int(workers),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        timeout_worker_healthcheck=60,
    )


if __name__ == "__main__":
    if len(sys.argv) < 5:
        raise SystemExit(__doc__)
    main(*sys.argv[1:5], draft=sys.argv[5:] == ["--draft"])
