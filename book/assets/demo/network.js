// The digit model in plain JavaScript: the same steps as the NumPy cells of the chapter
// "in-the-browser". A picture is a Float32Array of height x width x channels numbers, row
// by row, the channels of a pixel side by side.

// Give each layer of the header its arrays out of the binary file, and its windows.
export function prepare(header, buffer) {
  return header.layers.map(layer => {
    const ready = { ...layer };
    for (const [name, [start, length]] of Object.entries(layer.arrays))
      ready[name] = new Float32Array(buffer, start, length);
    const { height, width, size, stride, padding } = layer;
    if (size) ready.pixels = windows(height, width, size, stride, padding);
    return ready;
  });
}

// The numbers of the pixels under each window, window after window; -1 lies outside.
export function windows(height, width, size, stride, padding) {
  const pixels = [];
  for (let top = -padding; top + size <= height + padding; top += stride)
    for (let left = -padding; left + size <= width + padding; left += stride)
      for (let row = top; row < top + size; row++)
        for (let column = left; column < left + size; column++) {
          const inside = row >= 0 && row < height && column >= 0 && column < width;
          pixels.push(inside ? row * width + column : -1);
        }
  return Int32Array.from(pixels);
}

// Matrix product: a has a.length / inner rows, b has `columns` columns.
export function multiply(a, b, columns) {
  const inner = b.length / columns, rows = a.length / inner;
  const product = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      let sum = 0;
      for (let k = 0; k < inner; k++)
        sum += a[row * inner + k] * b[k * columns + column];
      product[row * columns + column] = sum;
    }
  return product;
}

// What each kind of layer does on the way forward.
const FORWARD = {
  convolution(x, { pixels, channels, outputs, weights, bias }, product) {
    const patches = new Float32Array(pixels.length * channels);
    pixels.forEach((pixel, i) => {
      for (let c = 0; c < channels; c++)
        patches[i * channels + c] = pixel < 0 ? 0 : x[pixel * channels + c];
    });
    return product(patches, weights, outputs).map((sum, i) => sum + bias[i % outputs]);
  },
  pool(x, { pixels, channels, size }) {
    const area = size * size, windows = pixels.length / area;
    const largest = new Float32Array(windows * channels).fill(-Infinity);
    pixels.forEach((pixel, i) => {
      const first = Math.floor(i / area) * channels;
      for (let c = 0; c < channels; c++)
        largest[first + c] = Math.max(largest[first + c], x[pixel * channels + c]);
    });
    return largest;
  },
  affine(x, { channels, scale, shift }) {
    return x.map((value, i) => value * scale[i % channels] + shift[i % channels]);
  },
  relu(x) {
    return x.map(value => Math.max(value, 0));
  },
  dense(x, { outputs, weights, bias }, product) {
    return product(x, weights, outputs).map((sum, i) => sum + bias[i]);
  },
};

// From a picture to the logits. `inputs` keeps what entered each layer, for the way back.
export function forward(layers, picture, product = multiply) {
  const inputs = [];
  let x = picture;
  for (const layer of layers) {
    inputs.push(x);
    x = FORWARD[layer.kind](x, layer, product);
  }
  return { logits: x, inputs };
}

export function softmax(logits) {
  const largest = Math.max(...logits);
  const powers = Array.from(logits, logit => Math.exp(logit - largest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map(power => power / sum);
}

// What each kind of layer does on the way back: from the gradient by its output (delta)
// to the gradient by its input.
const BACKWARD = {
  convolution(x, delta, { pixels, channels, outputs, weights }, product) {
    const gradient = new Float32Array(x.length), inner = weights.length / outputs;
    const byPatches = product(delta, transpose(weights, outputs), inner);
    pixels.forEach((pixel, i) => {
      for (let c = 0; pixel >= 0 && c < channels; c++)
        gradient[pixel * channels + c] += byPatches[i * channels + c];
    });
    return gradient;
  },
  pool(x, delta, { pixels, channels, size }) {
    const gradient = new Float32Array(x.length), area = size * size;
    for (let first = 0; first < pixels.length; first += area)
      for (let c = 0; c < channels; c++) {
        let best = pixels[first] * channels + c;
        for (const pixel of pixels.subarray(first, first + area))
          if (x[pixel * channels + c] > x[best]) best = pixel * channels + c;
        gradient[best] += delta[first / area * channels + c];
      }
    return gradient;
  },
  affine(x, delta, { channels, scale }) {
    return delta.map((value, i) => value * scale[i % channels]);
  },
  relu(x, delta) {
    return delta.map((value, i) => x[i] > 0 ? value : 0);
  },
  dense(x, delta, { outputs, weights }, product) {
    return product(delta, transpose(weights, outputs), x.length);
  },
};

export function transpose(matrix, columns) {
  const rows = matrix.length / columns;
  return matrix.map((_, i) => matrix[i % rows * columns + Math.floor(i / rows)]);
}

// The gradient of one logit by each number of the picture.
export function saliency(layers, inputs, digit, product = multiply) {
  let delta = new Float32Array(layers.at(-1).outputs);
  delta[digit] = 1;
  for (let i = layers.length - 1; i >= 0; i--)
    delta = BACKWARD[layers[i].kind](inputs[i], delta, layers[i], product);
  return delta;
}

// The matrix product again, by the module whose text is in tests/assembler.py.
export async function loadProduct(bytes) {
  const { instance } = await WebAssembly.instantiate(bytes);
  const { memory, multiply } = instance.exports;
  return (a, b, columns) => {
    const inner = b.length / columns, rows = a.length / inner;
    const start = a.length + b.length, numbers = new Float32Array(memory.buffer);
    numbers.set(a, 0);
    numbers.set(b, a.length);
    multiply(0, 4 * a.length, 4 * start, rows, inner, columns);
    return numbers.slice(start, start + rows * columns);
  };
}
