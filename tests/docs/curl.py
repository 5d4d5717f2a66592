"""As much of curl as the docs use, so that their commands run where there is no curl."""

from __future__ import annotations

import argparse
import sys

import httpx


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser("curl", allow_abbrev=False)
    parser.add_argument("url")
    parser.add_argument("-X", "--request", dest="method")
    parser.add_argument("-H", "--header", dest="headers", action="append", default=[])
    parser.add_argument("-d", "--data", "--data-binary", dest="data")
    parser.add_argument("--json", dest="json")
    parser.add_argument("-i", "--include", action="store_true")
    parser.add_argument("-f", "--fail", action="store_true")
    for short, long in (("-s", "--silent"), ("-S", "--show-error")):
        parser.add_argument(short, long, action="store_true")
    given = parser.parse_args(words)
    headers = dict(line.split(": ", 1) for line in given.headers)
    if given.json is not None:
        headers.setdefault("Content-Type", "application/json")
    data = given.json if given.json is not None else given.data
    method = given.method or ("POST" if data is not None else "GET")
    url = given.url if "://" in given.url else f"http://{given.url}"
    content = None if data is None else data.encode()
    answer = httpx.request(method, url, headers=headers, content=content, timeout=30, trust_env=False)
    if given.fail and answer.is_error:
        print(f"curl: the requested URL returned error: {answer.status_code}", file=sys.stderr)
        return 22
    if given.include:
        print(
            f"HTTP/1.1 {answer.status_code}",
            *(f"{key}: {value}" for key, value in answer.headers.items()),
            "",
            sep="\n",
        )
    print(answer.text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
