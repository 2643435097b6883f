"""Verifies RSASSA-PKCS1-v1_5 with SHA-256: public key (DER), message and signature, all in base64."""

import base64
import sys

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

public_key, message, signature = (base64.b64decode(argument) for argument in sys.argv[1:])
key = serialization.load_der_public_key(public_key)
key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
print("verified")
