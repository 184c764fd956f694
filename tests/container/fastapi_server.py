"""What `make bench-image` measures the image against: an ONNX model served by FastAPI, as many do it.

Usage: fastapi_server.py MODEL.onnx PORT
"""

import io
import sys

import fastapi
import numpy as np
import onnxruntime
import uvicorn
from PIL import Image

model, port = sys.argv[1:]
session = onnxruntime.InferenceSession(model)
app = fastapi.FastAPI()


@app.get("/ping")
def ping():
    return {}


@app.post("/invocations")
async def invocations(request: fastapi.Request):
    photo = Image.open(io.BytesIO(await request.body())).convert("RGB").resize((224, 224))
    pixels = ((np.asarray(photo, np.float32) - 127) / 128).transpose(2, 0, 1)[None]
    return {"scores": session.run(None, {session.get_inputs()[0].name: pixels})[0][0].tolist()}


uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning")
