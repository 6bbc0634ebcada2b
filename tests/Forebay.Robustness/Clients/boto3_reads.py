"""Reads a mount point with boto3 in every usual way and compares with a manifest; ends with 0 when all is right.

    boto3_reads.py ENDPOINT BUCKET MANIFEST      the key pair comes from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
MANIFEST is JSON: key -> {"length": bytes, "md5": hex}.
"""
import hashlib
import io
import json
import os
import sys
import tempfile
import urllib.error
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, bucket, manifest = sys.argv[1], sys.argv[2], json.load(open(sys.argv[3]))
keys = sorted(manifest, key=lambda key: key.encode())


def client(**overrides):
    config = Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"max_attempts": 1}, **overrides.pop("config", {}))
    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", config=config, **overrides)


def same(what, expected, actual):
    if expected != actual:
        sys.exit(f"{what}: expected {expected!r}, got {actual!r}")


def refused(what, code, status, call, kind=ClientError):
    try:
        call()
    except kind as error:
        same(what, (code, status), (error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]))
        return
    sys.exit(f"{what}: was not refused")


def md5(content):
    return hashlib.md5(content).hexdigest()


def listings(s3):
    same("list_buckets", True, bucket in [b["Name"] for b in s3.list_buckets()["Buckets"]])
    s3.head_bucket(Bucket=bucket)
    s3.get_bucket_location(Bucket=bucket)

    for operation in ("list_objects", "list_objects_v2"):
        pages = list(s3.get_paginator(operation).paginate(Bucket=bucket, PaginationConfig={"PageSize": 3}))
        entries = [entry for page in pages for entry in page.get("Contents", [])]
        same(f"{operation}: keys", keys, [entry["Key"] for entry in entries])
        same(f"{operation}: sizes", [manifest[key]["length"] for key in keys], [entry["Size"] for entry in entries])
        same(f"{operation}: pages", -(-len(keys) // 3), len(pages))

        answer = getattr(s3, operation)(Bucket=bucket, Delimiter="/")
        same(f"{operation}: prefixes", sorted({key.split("/")[0] + "/" for key in keys if "/" in key}), [p["Prefix"] for p in answer["CommonPrefixes"]])
        same(f"{operation}: names", [key for key in keys if "/" not in key], [entry["Key"] for entry in answer["Contents"]])

        deep = [key for key in keys if key.startswith("many/")]
        answer = getattr(s3, operation)(Bucket=bucket, Prefix="many/", Delimiter="/")
        same(f"{operation}: below a prefix", deep, [entry["Key"] for entry in answer["Contents"]])
        same(f"{operation}: nothing there", None, getattr(s3, operation)(Bucket=bucket, Prefix="no such/").get("Contents"))

    half = keys[len(keys) // 2]
    same("StartAfter", keys[len(keys) // 2 + 1:], [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket, StartAfter=half)["Contents"]])
    same("Marker", keys[len(keys) // 2 + 1:], [entry["Key"] for entry in s3.list_objects(Bucket=bucket, Marker=half)["Contents"]])
    resource = boto3.resource("s3", endpoint_url=endpoint, region_name="us-east-1")
    same("resource", keys, [item.key for item in resource.Bucket(bucket).objects.page_size(5).all()])


def objects(s3):
    for key in keys:
        length = manifest[key]["length"]
        head = s3.head_object(Bucket=bucket, Key=key)
        answer = s3.get_object(Bucket=bucket, Key=key)
        content = answer["Body"].read()
        same(f"bytes of {key}", (length, manifest[key]["md5"]), (len(content), md5(content)))
        same(f"headers of {key}", (length, answer["ETag"], answer["LastModified"]), (head["ContentLength"], head["ETag"], head["LastModified"]))
        if length > 20:
            for value, expected in (("bytes=5-14", content[5:15]), ("bytes=-7", content[-7:]), (f"bytes={length - 3}-", content[-3:])):
                part = s3.get_object(Bucket=bucket, Key=key, Range=value)
                same(f"{value} of {key}", (206, expected), (part["ResponseMetadata"]["HTTPStatusCode"], part["Body"].read()))
            refused(f"a range behind {key}", "InvalidRange", 416, lambda: s3.get_object(Bucket=bucket, Key=key, Range=f"bytes={length}-"))
        refused(f"unchanged {key}", "304", 304, lambda: s3.get_object(Bucket=bucket, Key=key, IfNoneMatch=head["ETag"]))
        refused(f"another {key}", "PreconditionFailed", 412, lambda: s3.get_object(Bucket=bucket, Key=key, IfMatch='"00000000000000000000000000000000"'))


def presigned(s3):
    for key in keys:
        url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=60)
        same(f"presigned {key}", manifest[key]["md5"], md5(urllib.request.urlopen(url).read()))

    large = max(keys, key=lambda key: manifest[key]["length"])
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": large, "ResponseContentType": "text/x-odd", "ResponseContentDisposition": 'attachment; filename="a b"'}, ExpiresIn=60)
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Range": "bytes=0-9"})) as answer:
        same("presigned with overrides", (206, "text/x-odd", 'attachment; filename="a b"', 10), (answer.status, answer.headers["Content-Type"], answer.headers["Content-Disposition"], len(answer.read())))

    for what, broken in (("a changed signature", url[:-1] + ("0" if url[-1] != "0" else "1")), ("another key", url.replace(large.split("/")[-1], "other"))):
        try:
            urllib.request.urlopen(broken)
            sys.exit(f"presigned: {what} was accepted")
        except urllib.error.HTTPError as error:
            same(what, (403, True), (error.code, b"SignatureDoesNotMatch" in error.read()))

    url = client(config={}).generate_presigned_url("head_object", Params={"Bucket": bucket, "Key": large}, ExpiresIn=60)
    same("presigned HEAD", manifest[large]["length"], int(urllib.request.urlopen(urllib.request.Request(url, method="HEAD")).headers["Content-Length"]))


def errors(s3):
    refused("a missing key", "NoSuchKey", 404, lambda: s3.get_object(Bucket=bucket, Key="no/such key"), s3.exceptions.NoSuchKey)
    refused("HEAD of a missing key", "404", 404, lambda: s3.head_object(Bucket=bucket, Key="no/such key"))
    refused("a missing bucket", "NoSuchBucket", 404, lambda: s3.list_objects_v2(Bucket="no-such-bucket"), s3.exceptions.NoSuchBucket)
    refused("an object of a missing bucket", "NoSuchBucket", 404, lambda: s3.get_object(Bucket="no-such-bucket", Key="x"), s3.exceptions.NoSuchBucket)
    refused("HEAD of a missing bucket", "404", 404, lambda: s3.head_bucket(Bucket="no-such-bucket"))
    wrong = client(aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"], aws_secret_access_key="wrong")
    refused("a wrong secret", "SignatureDoesNotMatch", 403, lambda: wrong.list_objects_v2(Bucket=bucket))
    unknown = client(aws_access_key_id="UNKNOWN", aws_secret_access_key="wrong")
    refused("an unknown key id", "InvalidAccessKeyId", 403, lambda: unknown.list_objects_v2(Bucket=bucket))
    for what, call in (("put", lambda: s3.put_object(Bucket=bucket, Key="new", Body=b"x")), ("delete", lambda: s3.delete_object(Bucket=bucket, Key=keys[0]))):
        try:
            call()
            sys.exit(f"{what} was accepted")
        except ClientError as error:
            same(f"{what} is refused in words", True, error.response["Error"]["Code"] in ("MethodNotAllowed", "AccessDenied"))


def transfers(s3):
    parallel = TransferConfig(multipart_threshold=1 << 20, multipart_chunksize=1 << 20, max_concurrency=8)
    with tempfile.TemporaryDirectory() as directory:
        for number, key in enumerate(keys):
            path = os.path.join(directory, str(number))
            s3.download_file(bucket, key, path, Config=parallel)
            same(f"download_file of {key}", manifest[key]["md5"], md5(open(path, "rb").read()))
            target = io.BytesIO()
            s3.download_fileobj(bucket, key, target, Config=parallel)
            same(f"download_fileobj of {key}", manifest[key]["md5"], md5(target.getvalue()))


for step in (listings, objects, presigned, errors, transfers):
    step(client())
print(f"boto3 {boto3.__version__}: {len(keys)} keys")
