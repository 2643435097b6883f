"""moto_server, taught to import RSA key material into KMS, which moto itself does not implement.

The unwrapping is done by the library `cryptography`, so that what Fleetfoot wraps is read by code that is not ours.
"""

import base64
import json
import os
import sys

from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from moto.kms.responses import KmsResponse
from moto.server import main

WRAPPING_KEYS = {}


def parameters_for_import(self):
    key = self.kms_backend.describe_key(self._get_param("KeyId"))
    if self._get_param("WrappingAlgorithm") != "RSA_AES_KEY_WRAP_SHA_256":
        raise NotImplementedError(self._get_param("WrappingAlgorithm"))
    size = int(self._get_param("WrappingKeySpec").removeprefix("RSA_"))
    wrapping_key = rsa.generate_private_key(public_exponent=65537, key_size=size)
    token = base64.b64encode(os.urandom(48)).decode()
    WRAPPING_KEYS[token] = (key.id, wrapping_key)
    public_key = wrapping_key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return json.dumps(
        {"KeyId": key.arn, "ImportToken": token, "PublicKey": base64.b64encode(public_key).decode()}
    )


def import_key_material(self):
    request = json.loads(self.body)
    key_id, wrapping_key = WRAPPING_KEYS.pop(request["ImportToken"])
    key = self.kms_backend.describe_key(request["KeyId"])
    assert key.id == key_id and request["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"
    material = base64.b64decode(request["EncryptedKeyMaterial"])
    length = wrapping_key.key_size // 8
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    aes_key = wrapping_key.decrypt(material[:length], oaep)
    private_key = keywrap.aes_key_unwrap_with_padding(aes_key, material[length:])
    key.private_key.private_key = serialization.load_der_private_key(private_key, None)
    return json.dumps({"KeyId": key.arn})


KmsResponse.get_parameters_for_import = parameters_for_import
KmsResponse.import_key_material = import_key_material

if __name__ == "__main__":
    main(sys.argv[1:])
