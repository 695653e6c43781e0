// Looks for the counter whose derived key begins as asked (ALTCHA v2: PBKDF2, counter as big-endian uint32).
"use strict";

const octets = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const hexadecimal = (buffer) => Array.from(new Uint8Array(buffer), (octet) => octet.toString(16).padStart(2, "0")).join("");

onmessage = async ({ data: { parameters, first, step } }) => {
  const { algorithm, nonce, salt, cost, keyLength = 32, keyPrefix = "00" } = parameters;
  const [name, hash] = algorithm.split("/");
  const password = new Uint8Array(nonce.length / 2 + 4);
  password.set(octets(nonce));
  const tail = new DataView(password.buffer, password.length - 4);
  const began = performance.now();
  for (let counter = first; ; counter += step) {
    tail.setUint32(0, counter);
    const key = await crypto.subtle.importKey("raw", password, name, false, ["deriveBits"]);
    const derived = hexadecimal(
      await crypto.subtle.deriveBits({ name, hash, salt: octets(salt), iterations: cost }, key, 8 * keyLength),
    );
    if (derived.startsWith(keyPrefix)) {
      postMessage({ counter, derivedKey: derived, time: Math.round(performance.now() - began) });
      return;
    }
  }
};
