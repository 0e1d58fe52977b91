// Chance that can be repeated: the same seed, the same choices.

/** mulberry32: a function that returns numbers from 0 up to 1. */
export function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Choices by one generator of random numbers. */
export class Dice {
  constructor(seed) {
    this.next = randomOf(seed);
  }
  /** A whole number from `low` to `high`, both included. */
  integer(low, high) {
    return low + Math.floor(this.next() * (high - low + 1));
  }
  chance(probability) {
    return this.next() < probability;
  }
  pick(list) {
    return list[this.integer(0, list.length - 1)];
  }
  /** One of {name: weight}. */
  weighted(weights) {
    let left = this.next() * Object.values(weights).reduce((sum, weight) => sum + weight, 0);
    for (const [name, weight] of Object.entries(weights)) {
      left -= weight;
      if (left < 0) return name;
    }
    return Object.keys(weights).at(-1);
  }
}
