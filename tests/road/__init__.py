"""The whole road with real parts: Postfix -> milter -> outcome."""
