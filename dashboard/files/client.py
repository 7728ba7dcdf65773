"""The client of S3-compatible storage, one a process, and what its errors mean for us."""

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from boto3.exceptions import S3UploadFailedError
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from dashboard.env import Bucket
from dashboard.files.names import Missing, StoreAway, StoreFull

GONE = {"404", "NoSuchKey", "NotFound"}
FULL = {"507", "QuotaExceeded", "InsufficientStorage", "InsufficientCapacity", "XMinioStorageFull"}


def client(where: Bucket, key_id: str, secret: str) -> Any:
    """The client for this place; it may be shared by threads, not by processes."""
    return _client(os.getpid(), where, key_id, secret)


@functools.lru_cache(maxsize=4)
def _client(process: int, where: Bucket, key_id: str, secret: str) -> Any:
    """Without a key of ours the client looks where its maker says (AWS_ACCESS_KEY_ID, the instance's role).

    Checksums that only some servers know are left out: we verify the SHA-256 of whatever we read.
    """
    return boto3.session.Session().client(
        "s3",
        endpoint_url=where.endpoint or None,
        region_name=where.region,
        aws_access_key_id=key_id or None,
        aws_secret_access_key=secret or None,
        config=Config(
            connect_timeout=5,
            read_timeout=60,
            retries={"mode": "standard", "total_max_attempts": 3},
            s3={"addressing_style": "path" if where.endpoint else "auto"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


@contextmanager
def explained(what: str) -> Iterator[None]:
    """The client's exceptions as ours: Missing, StoreFull, and StoreAway for all else, with the reason."""
    try:
        yield
    except ClientError as error:
        raise _meaning(error, what) from error
    except S3UploadFailedError as error:
        cause = error.__context__
        raise _meaning(cause, what) if isinstance(cause, ClientError) else StoreAway(str(error)) from error
    except (BotoCoreError, HTTPError) as error:
        raise StoreAway(f"{type(error).__name__}: {error}"[:500]) from error


def _meaning(error: ClientError, what: str) -> Exception:
    told = error.response.get("Error", {})
    status = str(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
    code = str(told.get("Code", ""))
    if code == "NoSuchBucket":
        return StoreAway("there is no bucket of this name")
    if code in GONE and error.operation_name != "HeadBucket":
        return Missing(what)
    if {code, status} & FULL:
        return StoreFull(f"{code}: {told.get('Message', '')}"[:500])
    return StoreAway(f"{error.operation_name}: {code or status} {told.get('Message', '')}"[:500])
