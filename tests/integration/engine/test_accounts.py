"""Accounts of the database and of Redis: passwords of all kinds, and TLS."""

import datetime
from collections.abc import Iterator
from hashlib import sha1
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from taskq_server.broker.connection import connect
from taskq_server.core.database import Connection, Database, DatabaseError, ping
from taskq_server.domain.errors import DatabaseUnavailable
from tests.support.caching_sha2 import fake_mysql
from tests.support.mariadb import MariaDBServer
from tests.support.processes import run_server_command
from tests.support.valkey import ValkeyServer

PASSWORDS = ["пароль", "日本 €", "é", "p@ss/w:rd?#%&+ ", "ß" * 30]


async def look_at(url: str) -> None:
    database = Database(url, pool_size=1, connect_seconds=10)
    try:
        await ping(database)
    finally:
        await database.close()


@pytest.mark.parametrize("password", PASSWORDS)
async def test_a_password_of_the_database_need_not_be_ascii(
    mariadb_server: MariaDBServer, mariadb_url: str, password: str
) -> None:
    stored = sha1(sha1(password.encode()).digest()).hexdigest().upper()
    with mariadb_server.account(mariadb_url) as url:
        name = url.partition("//")[2].partition("@")[0]
        mariadb_server.sql(f"ALTER USER {name}@'%' IDENTIFIED BY PASSWORD '*{stored}'")
        await look_at(url.replace("@", f":{quote(password, safe='')}@"))
        with pytest.raises((DatabaseUnavailable, DatabaseError)):
            await look_at(url.replace("@", ":other@"))


@pytest.mark.parametrize("password", PASSWORDS)
async def test_a_password_of_redis_need_not_be_ascii(password: str) -> None:
    with ValkeyServer() as server:
        with server.client() as client:
            client.config_set("requirepass", password)
        redis = connect(server.url.replace("//", f"//:{quote(password, safe='')}@"))
        assert await redis.ping()
        await redis.aclose(close_connection_pool=True)


@pytest.mark.parametrize("password", PASSWORDS)
async def test_mysql_8_is_told_the_password_at_the_first_connect(password: str) -> None:
    async with fake_mysql() as fake:
        url = f"mysql+asyncmy://me:{quote(password, safe='')}@127.0.0.1:{fake.port}/taskq"
        with pytest.raises((DatabaseUnavailable, DatabaseError)):
            await look_at(url)
    assert set(fake.told) == {password.encode()}


def test_an_account_that_is_refused_is_one_sentence(
    mariadb_server: MariaDBServer, mariadb_url: str
) -> None:
    wrong = {
        "account": mariadb_url.replace("root@", "root:S3CRET@"),
        "database": f"{mariadb_url.partition('?')[0]}_that_is_not_there",
    }
    for words in (["api", "--port", "0"], ["worker"], ["db", "upgrade"]):
        for url in wrong.values():
            settings = {"TASKQ_DATABASE_URL": url, "TASKQ_REDIS_URL": "redis://127.0.0.1:1/0"}
            done = run_server_command(words, settings)
            assert done.returncode == 78, done
            assert len(done.stderr.splitlines()) == 1, done.stderr
            assert "the database says" in done.stderr
            assert "S3CRET" not in done.stderr


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key and a certificate for 127.0.0.1 that it has signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "own.pem"
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(key.private_bytes(pem, *plain) + signed.public_bytes(pem))
    return path


@pytest.fixture(scope="module")
def encrypting(certificate: Path) -> Iterator[str]:
    """The URL of a database on a MariaDB that can encrypt."""
    tls = (f"--ssl-cert={certificate}", f"--ssl-key={certificate}")
    with MariaDBServer(options=tls) as server, server.database() as url:
        yield url.partition("?")[0].replace("127.0.0.1", "localhost")


async def cipher(url: str) -> str:
    database = Database(url, pool_size=1, connect_seconds=10)

    async def ask(connection: Connection) -> str:
        found = await connection.exec_driver_sql("SHOW STATUS LIKE 'Ssl_cipher'")
        return str(found.one()[1])

    try:
        return await database.read(ask)
    finally:
        await database.close()


async def test_tls_is_an_option_of_the_url(encrypting: str, certificate: Path) -> None:
    ca = quote(str(certificate))
    for options in ("ssl=true", "ssl=1&charset=utf8mb4", f"ssl_ca={ca}", f"ssl=true&ssl_ca={ca}"):
        assert await cipher(f"{encrypting}?{options}")
    for options in ("", "?ssl=false"):
        assert not await cipher(f"{encrypting}{options}")
    other = encrypting.replace("localhost", "127.0.0.1")
    with pytest.raises((DatabaseUnavailable, DatabaseError)):
        await cipher(f"{other}?ssl_ca={ca}")
    assert await cipher(f"{other}?ssl_ca={ca}&ssl_check_hostname=false")
