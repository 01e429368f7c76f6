"""Speed of making two views: our batches against other roads, on one core.

    .venv/bin/python -m benchmarks.augment

All do the same: random resized crop and mirror; brightness, contrast,
saturation and hue (of HSV) by factors and in an order that each view draws,
for 0.8 of the views; gray for 0.2; above 32 pixels a Gaussian blur for 0.5.
Only Keras's own layers do less: their jitter has one order, a random crop with
resizing is made of a zoom and a shift, and there is no blur (RandomGaussianBlur
of Keras 3.15 ends the process on TensorFlow 2.16 with one thread: "cannot create
std::vector larger than max_size()").

Every contender is a process of its own on the same core with one thread; they
take turns, and ratios are those of the same round. Images are uint8 in memory,
views float32. PyTorch comes into .tools/torch on the first run.
"""

import argparse
import math
import os
import random
import statistics

import numpy as np

from benchmarks import _turns as turns
from benchmarks._machine import machine

SEED = 0
IMAGES = 2048  # in memory, of which each step takes a batch
BATCH = {32: 256, 96: 64, 224: 32}
SECONDS = 1.0  # of a turn, about
BUFFERED = 6  # steps before each turn: what tf.data has made while others were at work
LUMA = (0.299, 0.587, 0.114)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=list(BATCH), choices=BATCH)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        name, size = args.worker
        turns.answer(lambda: _make_step(name, int(size)))
        return
    turns.install_torch()
    print(f"{machine('tensorflow', 'keras', 'pillow')}; torch {turns.TORCH}")
    print(f"seed {SEED}, 1 core, load {os.getloadavg()}")
    for size in args.sizes:
        _compare(size, args.rounds)
    print(f"\nload at the end {os.getloadavg()}")


def _compare(size, rounds):
    workers, steps, rates = {}, {}, {}
    for name, (_, torch) in CONTENDERS.items():
        workers[name] = turns.start("benchmarks.augment", name, str(size), torch=torch)
        turns.ask(workers[name], 2)  # tracing, compiling, allocating
        steps[name] = max(1, round(SECONDS / turns.ask(workers[name], 1)["seconds"]))
        rates[name] = []
    for _ in range(rounds):
        for name, worker in workers.items():
            turns.ask(worker, BUFFERED)
            seconds = turns.ask(worker, steps[name])["seconds"]
            rates[name].append(2 * BATCH[size] * steps[name] / seconds)
    turns.stop(workers.values())
    print(f"\n{size} x {size} pixels, batches of {BATCH[size]}\n")
    print("| two views by | views/s a core | min | max | tf_scl in tf.data / it | tf_scl / it |")
    print("|---" * 6 + "|")
    for name, values in rates.items():
        cells = [f"{value:,.0f}" for value in (statistics.median(values), min(values), max(values))]
        for ours in ("tf_scl, in tf.data", "tf_scl, batches in memory"):
            ratio = statistics.median(a / b for a, b in zip(rates[ours], values, strict=True))
            cells.append(f"{ratio:.2f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def _make_step(name, size):
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    images = np.random.default_rng(SEED).integers(0, 256, (IMAGES // (size // 32), 8, 8, 3))
    # Smooth, as photographs are.
    images = images.astype(np.uint8).repeat(size // 8, 1).repeat(size // 8, 2)
    make, _ = CONTENDERS[name]
    return make(images, BATCH[size], 0.5 if size > 32 else 0.0)


def _one_thread():
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return tf


def _layer(images, blur):
    import tf_scl

    return tf_scl.TwoViews(images.shape[1], blur=blur, seed=SEED)


def _ours_in_memory(images, batch, blur, jit_compile=False):
    tf = _one_thread()
    views = tf.function(_layer(images, blur), jit_compile=jit_compile)
    batch = tf.constant(images[:batch])
    return lambda: float(views(batch)[0][0, 0, 0, 0])


def _ours_under_xla(images, batch, blur):
    return _ours_in_memory(images, batch, blur, jit_compile=True)


def _ours_in_tf_data(images, batch, blur):
    tf = _one_thread()
    layer, images = _layer(images, blur), tf.constant(images)

    def pair(step):
        rows = tf.random.stateless_uniform([batch], [SEED, step], 0, len(images), tf.int32)
        return layer.pair(tf.gather(images, rows), tf.stack([SEED, step]))

    data = tf.data.Dataset.range(2**30, output_type=tf.int32)
    return _next_of(data.map(pair, tf.data.AUTOTUNE).prefetch(1))


def _next_of(data):
    batches = iter(data)
    return lambda: float(next(batches)[0][0, 0, 0, 0])


def _image_by_image(images, batch, blur):
    """What most tutorials do: tf.image on each image, in a parallel map, then batch."""
    tf = _one_thread()
    size = images.shape[1]

    def view(image):
        box = tf.image.sample_distorted_bounding_box(
            [size, size, 3],
            tf.constant([[[0.0, 0.0, 1.0, 1.0]]]),
            min_object_covered=0.1,
            aspect_ratio_range=[3 / 4, 4 / 3],
            area_range=[0.2, 1.0],
            max_attempts=10,
        )
        x = tf.image.resize(tf.slice(image, *box[:2]), [size, size])
        x = tf.image.random_flip_left_right(x)
        x = tf.cond(tf.random.uniform([]) < 0.8, lambda: jitter(x), lambda: x)
        x = tf.cond(tf.random.uniform([]) < 0.2, lambda: gray(x), lambda: x)
        if blur:
            x = tf.cond(tf.random.uniform([]) < blur, lambda: gaussian(x), lambda: x)
        return x

    def jitter(x):
        x = x / 255.0
        steps = [
            lambda x: x * tf.random.uniform([], 0.6, 1.4),
            contrast,
            lambda x: tf.image.adjust_saturation(x, tf.random.uniform([], 0.6, 1.4)),
            lambda x: tf.image.adjust_hue(x, tf.random.uniform([], -0.1, 0.1)),
        ]
        order = tf.random.shuffle(tf.range(4))
        for place in range(4):
            chosen = [lambda step=step, x=x: tf.clip_by_value(step(x), 0.0, 1.0) for step in steps]
            x = tf.switch_case(order[place], chosen)
        return 255.0 * x

    def contrast(x):
        mean = tf.reduce_mean(tf.image.rgb_to_grayscale(x))
        return mean + tf.random.uniform([], 0.6, 1.4) * (x - mean)

    def gray(x):
        return tf.image.grayscale_to_rgb(tf.image.rgb_to_grayscale(x))

    def gaussian(x):
        distance = tf.range(-8.0, 9.0) / tf.random.uniform([], 0.1, 2.0)
        kernel = tf.nn.softmax(-0.5 * distance**2)
        x = tf.transpose(x, [2, 0, 1])[..., None]
        for shape in ([17, 1, 1, 1], [1, 17, 1, 1]):
            x = tf.nn.conv2d(x, tf.reshape(kernel, shape), 1, "SAME")
        return tf.transpose(x[..., 0], [1, 2, 0])

    data = tf.data.Dataset.from_tensor_slices(images).repeat()
    data = data.map(lambda image: (view(image), view(image)), tf.data.AUTOTUNE)
    return _next_of(data.batch(batch).prefetch(1))


def _keras_layers(images, batch, blur):
    tf = _one_thread()
    import keras

    def branch():
        return [
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomZoom((-0.55, 0.0)),
            keras.layers.RandomTranslation(0.2, 0.2),
            keras.layers.RandomColorJitter(
                (0, 255),
                brightness_factor=0.4,
                contrast_factor=0.4,
                saturation_factor=0.4,
                hue_factor=0.1,
            ),
            keras.layers.RandomGrayscale(0.2),
        ]

    branches = [branch(), branch()]

    def pair(rows):
        views = []
        for steps in branches:
            x = tf.cast(rows, tf.float32)
            for step in steps:
                x = step(x, training=True)
            views.append(x)
        return tuple(views)

    views, rows = tf.function(pair), tf.constant(images[:batch])
    return lambda: float(views(rows)[0][0, 0, 0, 0])


def _torch_batched(images, batch, blur):
    """Each operation on those of the batch that it is for, in four rounds of colors."""
    import torch
    from torch.nn import functional

    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    size = images.shape[1]
    images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    luma = torch.tensor(LUMA).view(1, 3, 1, 1)

    def uniform(n, low, high):
        return torch.empty(n).uniform_(low, high)

    def crops(n):
        area = uniform((n, 10), 0.2, 1.0)
        ratio = uniform((n, 10), math.log(3 / 4), math.log(4 / 3)).exp()
        height, width = (area / ratio).sqrt(), (area * ratio).sqrt()
        first = ((height <= 1) & (width <= 1)).int().argmax(1, keepdim=True)
        height, width = (side.gather(1, first)[:, 0].clamp(max=1) for side in (height, width))
        mirror = 1 - 2 * (torch.rand(n) < 0.5).float()
        theta = torch.zeros(n, 2, 3)
        theta[:, 0, 0], theta[:, 1, 1] = width * mirror, height
        theta[:, 0, 2] = (1 - width) * uniform(n, -1, 1)
        theta[:, 1, 2] = (1 - height) * uniform(n, -1, 1)
        return theta

    def gray(x):
        return (x * luma).sum(1, keepdim=True)

    def factor(x):
        return uniform((len(x), 1, 1, 1), 0.6, 1.4)

    def contrast(x):
        return torch.lerp(gray(x).mean((1, 2, 3), keepdim=True), x, factor(x))

    def hue(x):
        value, chroma = x.amax(1), x.amax(1) - x.amin(1)
        red, green, blue = x.unbind(1)
        of_green = blue - red + 2 * chroma
        of_blue = red - green + 4 * chroma
        sixths = torch.where(green >= blue, of_green, of_blue)
        sixths = torch.where((red >= green) & (red >= blue), green - blue, sixths)
        sixths = sixths + chroma * 6 * uniform((len(x), 1, 1), -0.1, 0.1)
        opposite = torch.tensor([3.0, 5.0, 1.0]).view(1, 3, 1, 1)
        chroma, value = chroma[:, None], value[:, None]
        away = (sixths[:, None] - opposite * chroma).abs()
        away = torch.minimum(away, (away - 6 * chroma).abs())
        return value - torch.minimum((2 * chroma - away).clamp(min=0), chroma)

    def gaussian(x):
        n = len(x)
        distance = torch.arange(-8.0, 9.0) / uniform((n, 1), 0.1, 2.0)
        kernel = torch.softmax(-0.5 * distance**2, 1).repeat_interleave(3, 0)
        x = x.reshape(1, n * 3, size, size)
        x = functional.conv2d(x, kernel.view(-1, 1, 17, 1), padding=(8, 0), groups=3 * n)
        x = functional.conv2d(x, kernel.view(-1, 1, 1, 17), padding=(0, 8), groups=3 * n)
        return x.view(n, 3, size, size)

    def on_some(x, chosen, step):
        rows = chosen.nonzero()[:, 0]
        return x.index_copy(0, rows, step(x[rows])) if len(rows) else x

    colors = [
        lambda x: x * factor(x),
        contrast,
        lambda x: torch.lerp(gray(x), x, factor(x)),
        hue,
    ]

    def view(x):
        n = len(x)
        grid = functional.affine_grid(crops(n), x.shape, align_corners=False)
        x = functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
        order = torch.rand(n, 4).argsort(1)
        jittered = torch.rand(n) < 0.8
        for place in range(4):
            for number, step in enumerate(colors):
                chosen = jittered & (order[:, place] == number)
                x = on_some(x, chosen, lambda rows, step=step: step(rows).clamp_(0, 255))
        x = on_some(x, torch.rand(n) < 0.2, lambda rows: gray(rows).expand(-1, 3, -1, -1))
        return on_some(x, torch.rand(n) < blur, gaussian) if blur else x

    def step():
        with torch.inference_mode():
            x = images[torch.randint(len(images), (batch,))].float()
            return float(view(x)[0, 0, 0, 0] + view(x)[0, 0, 0, 0])

    return step


def _pil(images, batch, blur):
    """As the official code with torchvision: PIL on each image."""
    import PIL.Image
    import PIL.ImageEnhance
    import PIL.ImageFilter

    random.seed(SEED)
    size = images.shape[1]
    images = [PIL.Image.fromarray(image) for image in images]

    def crop(image):
        for _ in range(10):
            area = size * size * random.uniform(0.2, 1.0)
            ratio = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
            width, height = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
            if width <= size and height <= size:
                break
        else:
            width = height = size
        left, top = random.randint(0, size - width), random.randint(0, size - height)
        cut = image.crop((left, top, left + width, top + height))
        return cut.resize((size, size), PIL.Image.BILINEAR)

    def hue(image):
        hue, saturation, value = image.convert("HSV").split()
        turned = np.asarray(hue) + np.uint8(round(255 * random.uniform(-0.1, 0.1)) % 256)
        hsv = (PIL.Image.fromarray(turned), saturation, value)
        return PIL.Image.merge("HSV", hsv).convert("RGB")

    def enhance(kind):
        return lambda image: kind(image).enhance(random.uniform(0.6, 1.4))

    kinds = (PIL.ImageEnhance.Brightness, PIL.ImageEnhance.Contrast, PIL.ImageEnhance.Color)
    colors = [*map(enhance, kinds), hue]

    def view(image):
        image = crop(image)
        if random.random() < 0.5:
            image = image.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT)
        if random.random() < 0.8:
            for step in random.sample(colors, 4):
                image = step(image)
        if random.random() < 0.2:
            image = image.convert("L").convert("RGB")
        if random.random() < blur:
            image = image.filter(PIL.ImageFilter.GaussianBlur(random.uniform(0.1, 2.0)))
        return np.asarray(image, np.float32)

    def step():
        chosen = random.choices(images, k=batch)
        pair = [np.stack([view(image) for image in chosen]) for _ in range(2)]
        return float(pair[0][0, 0, 0, 0])

    return step


# name -> (makes the step, whether in PyTorch's environment)
CONTENDERS = {
    "tf_scl, in tf.data": (_ours_in_tf_data, False),
    "tf_scl, batches in memory": (_ours_in_memory, False),
    "tf_scl, wholly under XLA": (_ours_under_xla, False),
    "tf.image in a map, an image at a time": (_image_by_image, False),
    "Keras's own layers, batches in memory": (_keras_layers, False),
    "PyTorch, batches in memory": (_torch_batched, True),
    "PIL, an image at a time": (_pil, False),
}


if __name__ == "__main__":
    main()
