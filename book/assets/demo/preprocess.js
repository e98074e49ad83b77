// From ink on the drawing area to the 28 x 28 picture that the network was trained on: the
// recipe of MNIST.
import { multiply, transpose } from "./network.js";

const SIDE = 28, BOX = 20;

// `ink` holds rows of `width` numbers from 0 (paper) to 1. The answer is null without ink.
export function normalise(ink, width) {
  let top = Infinity, bottom = -1, left = Infinity, right = -1;
  let mass = 0, rowSum = 0, columnSum = 0;
  ink.forEach((value, i) => {
    if (value === 0) return;
    const row = Math.floor(i / width), column = i % width;
    top = Math.min(top, row); bottom = Math.max(bottom, row);
    left = Math.min(left, column); right = Math.max(right, column);
    mass += value; rowSum += value * (row + 0.5); columnSum += value * (column + 0.5);
  });
  if (mass === 0) return null;
  const height = bottom + 1 - top, breadth = right + 1 - left;
  const box = new Float32Array(height * breadth);
  for (let row = 0; row < height; row++) {
    const start = (top + row) * width + left;
    box.set(ink.subarray(start, start + breadth), row * breadth);
  }
  const pixel = Math.max(height, breadth) / BOX;
  const rows = cover(height, rowSum / mass - top, pixel);
  const columns = cover(breadth, columnSum / mass - left, pixel);
  return multiply(multiply(rows, box, breadth), transpose(columns, breadth), SIDE);
}

// Which share of each of 28 new pixels lies over each of `length` old ones, if a new pixel
// is `pixel` wide and the middle of all is at `centre`: a matrix with 28 rows.
export function cover(length, centre, pixel) {
  const shares = new Float32Array(SIDE * length);
  for (let k = 0; k < SIDE; k++) {
    const start = centre + (k - SIDE / 2) * pixel, end = start + pixel;
    for (let i = Math.max(0, Math.floor(start)); i < Math.min(length, end); i++)
      shares[k * length + i] = (Math.min(end, i + 1) - Math.max(start, i)) / pixel;
  }
  return shares;
}
