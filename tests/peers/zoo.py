"""Exports the models that `make bench-peers` measures: torchvision's architectures as ONNX files, some of them in int8 too.

Usage: zoo.py DIRECTORY [MODEL...]    with the environment `zoo` of scripts/test-tools; files that exist are kept

Pretrained weights are no package of PyPI, so weights are random, from a fixed seed. Speed does not depend on them as long as
numbers stay of a trained network's size, which is seen to: batch norms are given the statistics of photos, heads are scaled
so that logits spread like a trained network's, and a file whose answers explode, vanish, are the same for all photos or
change much with a little noise is not written. What such a network answers means nothing. On one machine the files are the same each time; on another type of
processor the last digits of the statistics may differ.
"""

import pathlib
import sys
import tempfile
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
import torchvision
from onnxruntime import quantization
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
PHOTOS = [
    *(ROOT / "tests/reference/photos" / name for name in ("large.jpg", "two_faces.webp", "tilted.webp", "cut_face.webp")),
    ROOT / "model-artifacts/imagenet-efficientnet-lite0/self-test/chelsea.jpg",
]
ARCHITECTURES = (
    "mobilenet_v2",
    "mobilenet_v3_small",
    "resnet18",
    "resnet50",
    "efficientnet_b0",
    "squeezenet1_1",
    "densenet121",
    "convnext_tiny",
    "vit_b_16",
)
QUANTISED = ("resnet18", "resnet50", "mobilenet_v2")
MODELS = (*ARCHITECTURES, *(f"{name}_int8" for name in QUANTISED))
SIDE, MEAN, STD = 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
OPSET = 17
#: How much a logit differs from photo to photo, and how much of that noise of one level of 255 may come to.
SPREAD, CALM = 2.0, 0.4


def photos() -> torch.Tensor:
    """Four cuts of each photo, of different sizes, as a network gets them."""
    cuts = []
    for path in PHOTOS:
        photo = Image.open(path).convert("RGB")
        for corner in range(4):
            side = min(photo.size) * (4 - corner) // 4
            left, top = (corner % 2) * (photo.width - side), (corner // 2) * (photo.height - side)
            cut = photo.resize((SIDE, SIDE), Image.Resampling.BILINEAR, (left, top, left + side, top + side))
            cuts.append((np.asarray(cut, np.float32) / 255 - MEAN) / STD)
    return torch.from_numpy(np.stack(cuts).transpose(0, 3, 1, 2).astype(np.float32))


def network(architecture: str, seen: torch.Tensor) -> torch.nn.Module:
    torch.manual_seed(MODELS.index(architecture))
    made = torchvision.models.get_model(architecture, weights=None).eval()
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith("layer_scale"):
                parameter.uniform_(0.2, 0.6)
            elif name.endswith("class_token"):
                parameter.normal_(0, 0.02)
            elif name.endswith("bias"):
                parameter.normal_(0, 0.05)
            elif parameter.dim() == 1:
                parameter.uniform_(0.7, 1.3)
        calm(made)
        settle_batch_norms(made, seen)
        settle_head(made, seen)
    return made


def calm(made: torch.nn.Module):
    """Random networks enlarge every difference, so that roundings decide what they answer. Trained ones do not: a branch
    adds little to what passes by it, and activations are not bent in the middle of what reaches them."""
    for module in made.modules():
        norms = [part for part in module.modules() if isinstance(part, torch.nn.BatchNorm2d)]
        if norms == [module]:
            module.bias.add_(1)
        elif type(module).__name__ in ("BasicBlock", "Bottleneck"):
            (module.bn3 if hasattr(module, "bn3") else module.bn2).weight.mul_(0.2)
        elif getattr(module, "use_res_connect", False):
            norms[-1].weight.mul_(0.2)


def settle_batch_norms(made: torch.nn.Module, seen: torch.Tensor):
    norms = [module for module in made.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    if norms:
        made(seen)
    made.eval()


def settle_head(made: torch.nn.Module, seen: torch.Tensor):
    """Random features are alike for all photos but for little; the head takes what they share out and enlarges the rest."""
    head = [module for module in made.modules() if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d))][-1]
    head.weight.normal_(0, 0.02)
    head.bias.zero_()
    answers = []
    hook = head.register_forward_hook(lambda _module, _inputs, answer: answers.append(answer.flatten(2).mean(2) if answer.dim() == 4 else answer))
    made(seen)
    hook.remove()
    scale = SPREAD / answers[0].std(0).mean()
    head.weight.mul_(scale)
    head.bias.copy_(-scale * answers[0].mean(0)).add_(torch.randn_like(head.bias), alpha=SPREAD / 4)


def export(architecture: str, seen: torch.Tensor, to: pathlib.Path):
    made = network(architecture, seen)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            made, (seen[:1],), to, input_names=["input"], output_names=["logits"], opset_version=OPSET, dynamo=False
        )
    onnx.checker.check_model(to, full_check=True)
    with torch.no_grad():
        expected = made(seen).numpy()
    found = answers(to, seen)
    apart = np.abs(found - expected).max() / np.abs(expected).max()
    if apart > 1e-4:
        raise SystemExit(f"{architecture}: onnxruntime's answers are {apart:.1e} from torch's, at most 1e-4 is expected")


class Calibration(quantization.CalibrationDataReader):
    def __init__(self, seen: torch.Tensor):
        self.rest = iter(seen.numpy())

    def get_next(self):
        photo = next(self.rest, None)
        return None if photo is None else {"input": photo[None]}


def quantise(original: pathlib.Path, seen: torch.Tensor, to: pathlib.Path):
    """QDQ, activations in uint8, weights in int8 channel by channel: what onnxruntime recommends on x86-64.

    Its kernels for processors without VNNI add pairs of products in 16 bits, which may overflow there: answers then differ.
    `reduce_range` would prevent it with weights of 7 bits, which would be another model on each kind of machine.
    """
    with tempfile.TemporaryDirectory() as place:
        inferred = pathlib.Path(place) / "inferred.onnx"
        quantization.quant_pre_process(original, inferred, skip_symbolic_shape=True)
        quantization.quantize_static(
            inferred,
            to,
            Calibration(seen),
            quant_format=quantization.QuantFormat.QDQ,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            per_channel=True,
            reduce_range=False,
        )
    alike = np.corrcoef(answers(to, seen).ravel(), answers(original, seen).ravel())[0, 1]
    if alike < 0.8:
        raise SystemExit(f"{original.stem}: int8 answers correlate with its own by {alike:.3f}, at least 0.8 is expected")


def answers(model: pathlib.Path, seen: torch.Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"input": photo[None]})[0] for photo in seen.numpy()])


def check(model: str, file: pathlib.Path, seen: torch.Tensor):
    """Refuses a network whose numbers are not like a trained one's."""
    found = answers(file, seen)
    noise = torch.randn(seen.shape, generator=torch.Generator().manual_seed(0)) / 255 / torch.tensor(STD).view(3, 1, 1)
    unrest = (answers(file, seen + noise) - found).std() / found.std(0).mean()
    spread, largest, classes = found.std(0).mean(), np.abs(found).max(), len(set(found.argmax(1).tolist()))
    print(
        f"{model}: logits up to {largest:.1f}, {spread:.2f} apart from photo to photo, {unrest:.3f} of it by noise, "
        f"{classes} classes on {len(found)} photos"
    )
    if not (np.isfinite(found).all() and 0.2 < spread < 10 and largest < 100 and classes > 2 and unrest < CALM):
        raise SystemExit(f"{model}: its answers vanish, explode, are the same for all photos or follow noise; it is not written")


def main(directory: pathlib.Path, models: tuple[str, ...]):
    unknown = [name for name in models if name not in MODELS]
    if unknown:
        raise SystemExit(f"no such model: {', '.join(unknown)}; there are {', '.join(MODELS)}")
    directory.mkdir(parents=True, exist_ok=True)
    seen = photos()
    for model in models:
        to, unchecked = directory / f"{model}.onnx", directory / f"{model}.onnx.new"
        if to.exists():
            continue
        if model in ARCHITECTURES:
            export(model, seen, unchecked)
        else:
            original = directory / f"{model.removesuffix('_int8')}.onnx"
            if not original.exists():
                main(directory, (original.stem,))
            quantise(original, seen, unchecked)
        check(model, unchecked, seen)
        unchecked.rename(to)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        raise SystemExit(__doc__)
    main(pathlib.Path(sys.argv[1]), tuple(sys.argv[2:]) or MODELS)
