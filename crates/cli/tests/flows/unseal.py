"""Opens a sealed box with libsodium: the private key and the box, both in base64."""

import base64
import sys

from nacl.public import PrivateKey, SealedBox

key, sealed = (base64.b64decode(argument) for argument in sys.argv[1:])
sys.stdout.write(SealedBox(PrivateKey(key)).decrypt(sealed).decode())
