"""What a program does with the sound of a code before a speech recogniser hears it."""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence

import numpy as np
import pocketsphinx
from scipy import ndimage, signal

RATE = 16_000
"""Samples a second of what the model of pocketsphinx was trained on."""
WORDS = {"0": "zero", "2": "two", "4": "four", "7": "seven", "9": "nine"}
"""How English reads the digits of codes."""
_BEEPS, _END = 2.2, 0.6  # seconds of signals before the digits and behind them
_DIGIT, _APART = 0.7, 0.6  # seconds: a digit with what is around it; the least between two


def samples(sound: bytes) -> np.ndarray:
    """A WAV file of 8 bits and 8 kHz as the recogniser wants it."""
    with wave.open(io.BytesIO(sound)) as file:
        octets = np.frombuffer(file.readframes(-1), np.uint8).astype(float)
        return np.asarray(signal.resample_poly((octets - 128) * 256, RATE, file.getframerate()))


class Recogniser:
    """pocketsphinx with its own English model, told that nothing but these digits is said."""

    def __init__(self, characters: str, length: int) -> None:
        self._digits = {WORDS[one]: one for one in characters}
        self._length = length
        self._decoder = pocketsphinx.Decoder(pocketsphinx.Config(lm=None, loglevel="FATAL"))
        word = f"({' | '.join(self._digits)})"
        for name, said in (("whole", " ".join([word] * length)), ("one", word)):
            self._decoder.add_jsgf_string(name, f"#JSGF V1.0; grammar {name}; public <said> = {said};")

    def whole(self, sound: np.ndarray) -> str:
        """All of it at once."""
        return self._heard("whole", sound)

    def pieces(self, sound: np.ndarray) -> str:
        """One digit after the other, where it is loudest."""
        return "".join(self._heard("one", piece) for piece in loudest(sound, self._length))

    def _heard(self, search: str, sound: np.ndarray) -> str:
        decoder = self._decoder
        decoder.activate_search(search)
        decoder.start_utt()
        decoder.process_raw(np.clip(sound, -32768, 32767).astype(np.int16).tobytes(), full_utt=True)
        decoder.end_utt()
        said = decoder.hyp()
        return "".join(self._digits.get(word, "") for word in said.hypstr.split()) if said else ""


def loudest(sound: np.ndarray, number: int) -> Sequence[np.ndarray]:
    """So many pieces around the loudest moments, in order, with silence at both ends."""
    loud = ndimage.uniform_filter1d(np.abs(sound), int(RATE * 0.12))
    loud[: int(RATE * _BEEPS)] = loud[-int(RATE * _END) :] = 0
    moments, apart, half = [], int(RATE * _APART), int(RATE * _DIGIT / 2)
    for _ in range(number):
        moment = int(loud.argmax())
        moments.append(moment)
        loud[max(0, moment - apart) : moment + apart] = 0
    return [np.pad(sound[max(0, at - half) : at + half], RATE // 5) for at in sorted(moments)]
