"""Validates a document by a JSON schema. Standard input is an object with both: `schema` and `document`."""

import json
import sys

from jsonschema import Draft202012Validator

task = json.load(sys.stdin)
Draft202012Validator.check_schema(task["schema"])
problems = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(task["schema"]).iter_errors(task["document"])]
sys.exit("\n".join(problems) or None)
