"""Stored values made by other software are read: right password True, wrong one False, damage an error."""

from __future__ import annotations

import traceback

import pytest

from integration_server.sdk.passwords import (
    MalformedHash,
    PasswordChecker,
    UnknownScheme,
    declarable_schemes,
    hash_password,
    is_weak,
    schemes,
)
from integration_server.sdk.schemes.model import Attempt
from integration_server.sdk.schemes.registry import SCHEMES

P = "pässword!$"

# (maker, stored value): the password is P, the value bears its own mark.
MARKED = [
    ("openssl passwd -1", "$1$saltsalt$G5gerMKRi9s7nFAAe1/Vs1"),
    ("openssl passwd -apr1", "$apr1$saltsalt$GD2BzrlTonYu6Jxzh4AB/0"),
    ("openssl passwd -5", "$5$saltsalt$2IiLImu8IwyeHhgnojjtATxRvsEinq9n.jPNEj1AZr5"),
    (
        "openssl passwd -6",
        "$6$saltsalt$zzFVn/dRQdIscwKf73KZ2V6wOZoco4oqsuy6qSp7PLcepcMKoZew44MbJKh5JzChuVhNkPoCk3iaCgNy2hv46.",
    ),
    (
        "mkpasswd -m sha512crypt -R 1000",
        "$6$rounds=1000$ldOB5.gZ3i.Qq24k$"
        "b8S/HCw/463cBZJLUAp5vJZLzQVfTYyMbNMkr5YU1eyiIkJxexbAtYdSUAakzUOzNARCpOcCkl8lwAlFHE2Q51",
    ),
    ("mkpasswd -m yescrypt -R 1", "$y$j75$rSz1HCoCQfqdaKvcrHa58/$8ra.KkCat8AIA9q3Frp329Dp7VsfuM4XX1wvabbnUdA"),
    ("mkpasswd -m yescrypt", "$y$j9T$SEXcZO0ceKluwoEnhJ88T.$cnkiBEi290XS0p2K2gjCAogSQyxAO2ItdX45Axbv008"),
    ("libxcrypt gost-yescrypt", "$gy$j75$saltsaltsalt$lsD0np9DmU/vv06PEGNzK8LyTOGgE0GIlNl.j3GCWXD"),
    ("libxcrypt scrypt", "$7$6/..../....saltsaltsalt$o7A5Iho0VBUr89e2W0Zjhr383ctHhRHMy7O/nbzu7a/"),
    ("mkpasswd -m scrypt", "$7$CU..../....gU7h7tpG5Egzmq8/hTOtn0$XeMwg1bA6.vcYyTjr0ekkr0FCM0I2J4xiAP.XbMWal6"),
    ("libxcrypt sha1crypt", "$sha1$1000$saltsalt$tEvozN4F8JF1.m9xrbCjFoFmHHfr"),
    ("mkpasswd -m bcrypt -R 4", "$2b$05$6hRyGDbo1Ts/TY3n/yT/8ulfCHWRk.Uki/qTELNWNU5cpwy9dno3."),
    ("mkpasswd -m bcrypt-a", "$2a$05$nlmb69aJ77SmhnsZY0x/1u2BRaPJbNtCWmxW1QR9dXQxru/1YM7EW"),
    ("openssl md4 of UTF-16", "$3$$3c0adf55bf840c6212ad4cfdfd797eae"),
    ("openssl md4 of UTF-16", "{NT}3C0ADF55BF840C6212AD4CFDFD797EAE"),
    ("htpasswd -B -C 4", "$2y$04$heyrxRIjBJEs8x1lfdOX0eL/Hy5qolvsSX2kkB.wgkmfBY7UDNAm6"),
    ("htpasswd -m", "$apr1$reffsI8y$wdtXwVR4UIKVBawsogCjs1"),
    ("htpasswd -s", "{SHA}L+QiaAn8K2/V8p3EZIHvBamMGbM="),
    ("slappasswd", "{SSHA}RtIYAdpGTJUZ0xswvrhCm/4YQBAcorFu"),
    ("slappasswd", "{SMD5}zMYdWjxifaO5CxGxn+x73SwlMvg="),
    ("slappasswd", "{MD5}PdCW4T59xdzqnNMO8eIj2g=="),
    ("slappasswd, bigcrypt", "{CRYPT}WwNF.nhf4EEt.jQcwUKoFwNA"),
    ("slappasswd pw-sha2", "{SSHA256}AbwR+4OX1O6T6COKp0Gi/NDIJp5E3rpn5kJ4SgSilSDzDP3iy4ZoOA=="),
    (
        "slappasswd pw-sha2",
        "{SSHA384}DwwHKJxadb7GTCtdNDO15rRqMMCy7+DzPx34PRz1K0cZz8jy+IdGG9V18k8TJ16ZM1Y7coHuruk=",
    ),
    (
        "slappasswd pw-sha2",
        "{SSHA512}F+0YLtxduHFMb2tioekU0jPBXsPQqkG8uArxaINGBm9JN7li9N6kjfxZfV3vPjWC2Q6tsy6fM5YaBEZ7bGvGSQjlJKvdVEYl",
    ),
    ("slappasswd pw-sha2", "{SHA256}LWIXIs3Z3eb2zVEB2msxNUWHcrEQTbM6WDblDZxC9GA="),
    ("slappasswd pw-sha2", "{SHA384}0Uq7uvY6fsvaq9AlHPUhYw0B30AFcepU9wu6webAV5GMZfBhqqWZAhr9BTVEbQs2"),
    (
        "slappasswd pw-sha2",
        "{SHA512}vWjtP/gjJ6Qt5+OPBy6JynASu+l06aaOwzr11JIt/v1c97B0Aa+bd2Do1kuRtTTnbxRdzAfr2n3ubofCzjWRkA==",
    ),
    (
        "slappasswd argon2",
        "{ARGON2}$argon2i$v=19$m=4096,t=3,p=1$EDBF7Bzxy0eNmo8Rd4wIeQ$rPWZEy5d9hZE2tj9AyEZWtMf04LyfrAHDnAaINrDNmw",
    ),
    ("doveadm pw", "{SHA1}L+QiaAn8K2/V8p3EZIHvBamMGbM="),
    (
        "doveadm pw",
        "{SCRAM-SHA-256}4096,IflFIMkCsHbkoIfNjz6H6w==,yCzlycgsJU7rwxWZpWqXIiIJroOSyDCyXE1fWNanFoY=,"
        "eAMwtMnhfrIohV8WvkoQMpbbaS5rwh0GL10IiluyjgA=",
    ),
    (
        "doveadm pw",
        "{SCRAM-SHA-1}4096,bZvoD1b1fOLCRLM51aW13g==,H1mdQHovuuuC3uXohjVw4z6okVo=,DpfZCFEsrL/tej5Z2qCPm33dobY=",
    ),
    ("doveadm pw", "{BLF-CRYPT}$2y$05$Q/HVF2KpfOfIZ.ElxaeNwuN.LfgGg/7QcW44R9vl1MxF1qiU6VUeK"),
    ("doveadm pw", "{CRYPT}$2y$05$zYHCNiUcDb78wSTD3rC7cO4v/Jzo6pWbm/QQphaOnEOOafct25hlC"),
    ("doveadm pw", "{DES-CRYPT}XGQB51Ncsjxu6"),
    ("doveadm pw", "{MD5-CRYPT}$1$R3KP.PQG$EM6fXaT.g7OVCmtfkgmL51"),
    ("doveadm pw", "{MD5}$1$wBcG1tIl$UsOonnDXbCrXpsFxUOvAk0"),
    ("doveadm pw", "{PLAIN-MD5}3dd096e13e7dc5dcea9cd30ef1e223da"),
    ("doveadm pw", "{PLAIN-MD5.B64}PdCW4T59xdzqnNMO8eIj2g=="),
    ("doveadm pw", "{LDAP-MD5}PdCW4T59xdzqnNMO8eIj2g=="),
    ("doveadm pw", "{LDAP-MD5.HEX}3dd096e13e7dc5dcea9cd30ef1e223da"),
    (
        "doveadm pw",
        "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$g2FrmjYSULjiY87L+7nVTA$0QecZfLUUusU3S0Fpbkus3XQH4/uWVuBf1Csx1AjJ50",
    ),
    ("doveadm pw", "{PBKDF2}$1$PBBabLUlv3FjON0J$5000$152c87642e4afc18415352fb3f97dba03f7d5c79"),
    ("doveadm pw", "{SHA256-CRYPT}$5$/wIW7ySnZmOQEtce$Y5IkN.GEP9ZoLYFna7HpwjcgNScVvhfvqFnXdCKNioC"),
    (
        "doveadm pw",
        "{SHA512-CRYPT}$6$TWQfGO9.0mH29gis$"
        "uX3LcKgVZWx7BNrYSrBL4YGdFbjJJ0DhjXoYh76OyEbNJAhIaI1o3wdcl2Fc64ulBhZKslijPZOrAbz7RmfI41",
    ),
    ("doveadm pw", "{SSHA256}oIYOBfwvNPyqevcWeQcgAUbkiAMv8F7EqSmRuJo2kC0Pnd03"),
    ("doveadm pw", "{SSHA256.HEX}2964788823e25aab71909ffd79dc0152bcfb1ead83bcab2bdca04cacd3b0e3aaeb32896b"),
    ("doveadm pw", "{SSHA.HEX}a5066dcb24dd476a2fcab6e7b8e0168ea16603f0b3f75ed6"),
    ("doveadm pw", "{SMD5.HEX}79fffc4320f1399ab37469135c504f67745da630"),
    ("doveadm pw", "{SHA256.HEX}2d621722cdd9dde6f6cd5101da6b3135458772b1104db33a5836e50d9c42f460"),
    (
        "doveadm pw",
        "{SSHA512.HEX}8e03c884a67b6ddc5d689cd1503791da9f95a9179d67356bea851303dcd80bcbaa290963e80a5eec81c492c49fa249bb"
        "817c7c80dd7263d8d20bc81dda7f4e8a3e05e124",
    ),
    ("doveadm pw, no suffix", "{sha}2fe4226809fc2b6fd5f29dc46481ef05a98c19b3"),
    ("PHP password_hash", "$2y$04$RPUO7aOE2FQZa/i.mZd/deMckInQzn7wS7afDxF2nku9w8kVmrZEW"),
    (
        "PHP password_hash",
        "$argon2id$v=19$m=64,t=2,p=1$bUpESnlpWE1RWlpsMTM1Tw$VydUoAij0xvKhRqrhVCT5K8IQStX5nvHuShWLXb+qTw",
    ),
    (
        "PHP password_hash",
        "$argon2i$v=19$m=64,t=2,p=1$Tmo3ZXRPVDAzcktCT0dzMQ$23lhPOl/gDT5nFSF3jbTKOiIm/wPh4KrgDyTr8apoV8",
    ),
    ("argon2 -d", "$argon2d$v=19$m=64,t=2,p=1$c29tZXNhbHQ$WzHiyxTDxyeu1kIu6TOl3E2oQehVxd5tt/KtNyOqZbQ"),
    ("argon2 -i -v 10", "$argon2i$v=16$m=64,t=2,p=2$c29tZXNhbHQ$CjnFihjqAJI4CmcMR3IgleOTBbBR1EnG+51l1v0xMLs"),
    ("WordPress 6.8's formula in PHP", "$wp$2y$05$mxEKRlhuUNwB6rq.PIBEnOdCWSpi7cuunjeuoxqS65CEdhcP.8k5u"),
    ("Django", "pbkdf2_sha256$1000$seasalt$lzo+lEPDCMw6TkXiiJvpcSIoeYgCp5Rop/DJckGPAzI="),
    ("Django", "pbkdf2_sha1$1000$seasalt$8tuB3UkTwTCbehd2UsnIut9GWsc="),
    (
        "Django",
        "argon2$argon2id$v=19$m=64,t=2,p=1$M1JDYU5weDlLSXE4SmJ3dGRnbVROSA$YqAhFNLY++8/jFkUT5XQdhi5wcRc9gNgxlSlDcO5WkE",
    ),
    ("Django", "bcrypt_sha256$$2b$04$YMsFTlSiiw9u1msr9bhcvOnm8pb50r/PQo7n.jr.XMKL.BZiAJEYW"),
    ("Django", "bcrypt$$2b$04$.N3Vw8uzmPP5DzvTr3Ht7.x3jvlSAjhGckZs0Bh.Oy5dWz4dVbeBe"),
    (
        "Django",
        "scrypt$16$seasalt$8$5$whGi+txW03EMvlRA4ChOvuH2OnQ8qsI1xCGifYex5zSQtEdwN7EwqitmPF2FwDQdUIllFQELPqqzXEFWjwV9uA==",
    ),
    ("Django", "md5$seasalt$ae7a23f86c6169087bf42f3437c60b9f"),
    ("passlib 1.7.4 for Django", "sha1$i8anyjZfhYhi$9bcdd929171175e13b603e0f8f0d76d9381f0303"),
    ("passlib 1.7.4", "$pbkdf2$1000$bu1dS2mNUWrN2dubM4aQcg$wp7nqD/Ms7vtOxAo9wGN8/O5Hbs"),
    ("passlib 1.7.4", "$pbkdf2-sha256$1000$n9P631sr5bzXOuf8fy8FwA$e.e6POABsKHbJW0FdV71NV3rLotHOzZ3ZFUhKPkMj64"),
    (
        "passlib 1.7.4",
        "$pbkdf2-sha512$1000$vLf2HuOc814rxXhvzbl3Tg$"
        "Hn.5/20v/mzJGy24i9nRz/zaJBweQF9sfQ275X7z/jDPqhAwu2rgC5OezcYmtq5ESdkidN9W9ZNqzURC7uv9eA",
    ),
    ("passlib 1.7.4", "{PBKDF2}1000$0TrHWKs15lzrHQNgLCWkFA$hsb3k2wTxolpg0o4GhnANloIP2w"),
    ("passlib 1.7.4", "{PBKDF2-SHA256}1000$tvYew3hPaa3V.r/3PkdIaQ$f5DtOf41ahUQh8b6NMR1AsY5FrZsCVSphZAQXAKLVZ8"),
    (
        "passlib 1.7.4",
        "{PBKDF2-SHA512}1000$V8o5BwAghNA6h9CaM8a4dw$"
        "ab4ZBAJbh7IUpOp2OeZ91i7ZG9WcJEZGHd5.SVxGh3BgTnnac6UCBoSKpYfdzuNgBurLK1XWvGtTbuohWe8Kgw",
    ),
    ("passlib 1.7.4", "{PKCS5S2}3HtPifGeU6p1zrm3lnLOWc4T8XoTCtegFSR6vgkULXkKz1l4n+Wjt086dJk3uTVx"),
    ("passlib 1.7.4", "$scrypt$ln=4,r=8,p=1$FeLcG2OsVUrp3TvHOIfQug$kR7+clJrU6H9kT6QXmS9L20+VIY8ZE3yZAn87UcJiFQ"),
    ("passlib 1.7.4", "$bcrypt-sha256$v=2,t=2b,r=4$az9enMWEjWm5kSAmQIND3e$Ztxognde2gYhJtygJTWTUofAtxx48gu"),
    ("passlib 1.7.4", "$bcrypt-sha256$2b,4$wAawjK.6R3U4YzVim7IZGu$MKhxN8akA0bHre/.t9q3Va0k5t7LSaW"),
    ("passlib 1.7.4", "$P$5TyKTInXDEIEXVlzZXtgiWeUBLKafD/"),
    (
        "PostgreSQL 15, SASLprep leaves it",
        "SCRAM-SHA-256$4096:SkCy7GItfJDGTDKQddeObQ==$rqsRi1BSER0gV9+NmUyTu9HCrL3NJNOEl/gjRBXWnP0=:"
        "Rw2ecuej+Zp4642oZt6EwccvRp4P++DcZljEnb1WBA4=",
    ),
    ("MariaDB PASSWORD()", "*94C60DD79D000FB440DA17B45DD28B2CCD4487F0"),
]

# (maker, declared scheme, stored value, user name, salt): the password is P, the value bears no mark.
DECLARED = [
    ("md5sum", "md5_hex", "3dd096e13e7dc5dcea9cd30ef1e223da", "", ""),
    ("md5sum", "md5", "3DD096E13E7DC5DCEA9CD30EF1E223DA", "", ""),
    ("sha1sum", "sha1_hex", "2fe4226809fc2b6fd5f29dc46481ef05a98c19b3", "", ""),
    ("sha256sum", "sha256_hex", "2d621722cdd9dde6f6cd5101da6b3135458772b1104db33a5836e50d9c42f460", "", ""),
    (
        "sha384sum",
        "sha384_hex",
        "d14abbbaf63a7ecbdaabd0251cf521630d01df400571ea54f70bbac1e6c057918c65f061aaa599021afd0535446d0b36",
        "",
        "",
    ),
    (
        "sha512sum",
        "sha512_hex",
        "bd68ed3ff82327a42de7e38f072e89ca7012bbe974e9a68ec33af5d4922dfefd"
        "5cf7b07401af9b7760e8d64b91b534e76f145dcc07ebda7dee6e87c2ce359190",
        "",
        "",
    ),
    ("slappasswd", "ssha", "RtIYAdpGTJUZ0xswvrhCm/4YQBAcorFu", "", ""),
    ("slappasswd", "{SSHA256}", "AbwR+4OX1O6T6COKp0Gi/NDIJp5E3rpn5kJ4SgSilSDzDP3iy4ZoOA==", "", ""),
    ("htpasswd -d", "crypt", "/S9mdIs1HXbTY", "", ""),
    ("mkpasswd -m descrypt", "des_crypt", "1/Nj2w39eBzys", "", ""),
    ("mkpasswd -m bsdicrypt", "des_crypt", "_J9..86t7vFcdVGgt7Ps", "", ""),
    ("libxcrypt bsdicrypt", "bsdi-crypt", "_/...saltgzvvInBMeLo", "", ""),
    ("openssl md4 of UTF-16", "nt", "3c0adf55bf840c6212ad4cfdfd797eae", "", ""),
    ("MariaDB OLD_PASSWORD()", "mysql323", "6d9d344475a09434", "", ""),
    ("MariaDB PASSWORD()", "mysql41", "94C60DD79D000FB440DA17B45DD28B2CCD4487F0", "", ""),
    ("PostgreSQL 15", "", "md5a596cddca1380c82f1c9e14026fbd406", "alice", ""),
    ("PostgreSQL 15", "postgres_md5", "a596cddca1380c82f1c9e14026fbd406", "alice", ""),
    ("PHP md5(md5(salt).md5(password))", "ipb_md5", "8b1a6b5b765c2ce7a4737a4366a23a16", "", "abcde"),
    ("PHP md5(md5(salt).md5(password))", "ipb", "8b1a6b5b765c2ce7a4737a4366a23a16:abcde", "", ""),
    ("PHP md5(md5(password).salt)", "vb_md5", "31e565c185e682f5d4b6baa8af98f573", "", "x:y"),
    ("PHP md5(md5(password).salt)", "vbulletin", "31e565c185e682f5d4b6baa8af98f573:x:y", "", ""),
    ("", "plain", P, "", ""),
]

# (source, declared scheme, stored value, password, salt)
PUBLISHED = [
    ("phpass's own test", "", "$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0", "test12345", ""),
    ("phpBB's spelling of it", "", "$H$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0", "test12345", ""),
    (
        "sha-crypt specification",
        "",
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        "Hello world!",
        "",
    ),
    ("PHP manual", "", "$2a$07$usesomesillystringfore2uDLvp1Ii2e./U9C8sBjqp8I90dH6hi", "rasmuslerdorf", ""),
    ("PHP crypt, such a salt", "", "$2y$04$abcdefghijklmnopqrstuuhkZlijbjeap68NEc1STzyBdI1dPq6h.", P, ""),
    ("PHP crypt, that salt as given", "", "$2y$04$abcdefghijklmnopqrstuvhkZlijbjeap68NEc1STzyBdI1dPq6h.", P, ""),
    ("IPS, carried over from version 3", "ipb_md5", "f838bbffaae3e444cdf5a27a6a12a347", "password", "abcde"),
    ("IPS, escaped before hashing", "ipb_md5", "ec7b8b8a130f127f4ebeecac61fffab6", "P<a>ss&1!", "abcde"),
    ("mkpasswd -m nt", "", "$3$$cbcc3bcd65d603f70116efd9cecbe944", "ASCII pass", ""),
    ("MySQL manual", "", "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19", "password", ""),
    ("MariaDB OLD_PASSWORD() skips blanks", "mysql323", "7337f77a739e7fe1", "pass word\t1", ""),
    ("Django's tests", "", "pbkdf2_sha256$20000$seasalt$oBSd886ysm3AqYun62DOdin8YcfbU1z9cksZSuLP9r0=", "lètmein", ""),
    (
        "argon2's reference test",
        "",
        "$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        "password",
        "",
    ),
    (
        "PostgreSQL 15, a soft hyphen is dropped",
        "",
        "SCRAM-SHA-256$4096:mn1D6LvbZ7cz1k6VA7CWHQ==$DZm7Kf/cCXjrTPM6SWK1M4ZBwGrrizRbk5oaw39SA+s=:"
        "gK2snnSU3I4P5gb3hIVbxToOW9lBvqiSfg91v5wEnvQ=",
        "I\u00adX",
        "",
    ),
    (
        "PostgreSQL 15, a ligature is taken apart",
        "",
        "SCRAM-SHA-256$4096:fCAk4Wem0h/V3prl2Ry/pw==$K1/SmTugZB9IQTNh/1e7mJZrdeaViNDGg57i1LDjot8=:"
        "VFy+E74kPVv8JOJlGhGyLpaiQpvpPVk7YLSGj/WaYho=",
        "fish",
        "",
    ),
    (
        "PostgreSQL 15, the same typed as ligature",
        "",
        "SCRAM-SHA-256$4096:fCAk4Wem0h/V3prl2Ry/pw==$K1/SmTugZB9IQTNh/1e7mJZrdeaViNDGg57i1LDjot8=:"
        "VFy+E74kPVv8JOJlGhGyLpaiQpvpPVk7YLSGj/WaYho=",
        "\ufb01sh",
        "",
    ),
    (
        "PostgreSQL 15, SASLprep forbids it, the bytes count",
        "",
        "SCRAM-SHA-256$4096:fa4vg6I5LRJ8ctm5n1yqMw==$IbE1e37x5GKsyVdIiyN9BFAeXv444eQORBt/AFuXrwE=:"
        "0nGFJg+ON0qz6TcRF/9YNEH3XvKObSvdnXE3S5TFJ4w=",
        "bad\u0007pw",
        "",
    ),
]

_ALL = [(declared, stored, username, salt) for _, declared, stored, username, salt in DECLARED] + [
    ("", stored, "", "") for _, stored in MARKED
]


@pytest.mark.parametrize(("maker", "stored"), MARKED)
def test_marked_value_is_read(maker: str, stored: str) -> None:
    checker = PasswordChecker()
    assert checker.verify(stored, P) is True, maker
    assert checker.verify(stored.encode() + b"   ", P) is True, "bytes, padded as in CHAR columns"
    assert checker.verify(stored, P.swapcase()) is False, maker


@pytest.mark.parametrize(("maker", "declared", "stored", "username", "salt"), DECLARED)
def test_declared_value_is_read(maker: str, declared: str, stored: str, username: str, salt: str) -> None:
    checker = PasswordChecker(declared or None)
    assert checker.verify(stored, P, username=username, salt=salt) is True, maker
    assert checker.verify(stored, P.swapcase(), username=username, salt=salt) is False, maker


@pytest.mark.parametrize(("source", "declared", "stored", "password", "salt"), PUBLISHED)
def test_published_value_is_read(source: str, declared: str, stored: str, password: str, salt: str) -> None:
    checker = PasswordChecker(declared or None)
    assert checker.verify(stored, password, salt=salt) is True, source
    assert checker.verify(stored, "x" + password[1:], salt=salt) is False, source


def test_every_scheme_has_a_foreign_vector() -> None:
    seen = set()
    for declared, stored, _, _ in _ALL:
        checker = PasswordChecker(declared or None)
        recognised = checker._recognise(stored)
        assert recognised is not None
        seen.add(recognised[0].name)
    assert set(declarable_schemes()) - seen == set()


@pytest.mark.parametrize("name", declarable_schemes())
def test_anonymous_value_of_a_scheme_is_computable_and_nobodys(name: str) -> None:
    scheme = SCHEMES[name]
    usual = scheme.form.fullmatch(scheme.usual)
    assert usual is not None
    anonymous = scheme.form.fullmatch(scheme.anonymous(usual))
    assert anonymous is not None
    assert scheme.cost_key(anonymous) == scheme.cost_key(usual)
    if name not in ("django_pbkdf2_sha256", "django_pbkdf2_sha1"):  # their usual cost is a quarter of a second each
        assert scheme.compare(anonymous, Attempt(b"anything", "nobody", "AAAAA")) is False


@pytest.mark.parametrize(("declared", "stored", "username", "salt"), _ALL)
def test_anonymous_value_costs_the_same_and_tells_nothing(declared: str, stored: str, username: str, salt: str) -> None:
    recognised = PasswordChecker(declared or None)._recognise(stored)
    assert recognised is not None
    scheme, match = recognised
    anonymous = scheme.form.fullmatch(scheme.anonymous(match))
    assert anonymous is not None
    assert scheme.cost_key(anonymous) == scheme.cost_key(match)
    assert stored[-12:].strip("=") not in anonymous.string


@pytest.mark.parametrize(("declared", "stored", "username", "salt"), _ALL)
@pytest.mark.parametrize("damage", ["cut", "foreign letter", "letter more"])
def test_damaged_value_is_an_error_that_hides_it(
    declared: str, stored: str, username: str, salt: str, damage: str
) -> None:
    if declared == "plain" or (":" in stored and declared in ("ipb", "vbulletin")):
        return  # any text is a plain password, and any text is a salt
    damaged = {
        "cut": stored.rstrip("=")[:-1],
        "foreign letter": stored[:-5] + "\u00e9" + stored[-4:],
        "letter more": stored + "a",
    }[damage]
    with pytest.raises(UnknownScheme) as caught:
        PasswordChecker(declared or None).verify(damaged, P, username=username, salt=salt)
    told = "".join(traceback.format_exception(caught.value))
    assert stored[-10:-5] not in told
    assert P not in told


@pytest.mark.parametrize(
    ("stored", "named"),
    [
        ("$9$abcdefgh$ijklmnop", "$9$"),
        ("$2x$05$6hRyGDbo1Ts/TY3n/yT/8ulfCHWRk.Uki/qTELNWNU5cpwy9dno3.", "$2x$"),
        ("$md5,rounds=51759$JnIgBRZC$$I8yuoSbO65lFkYXNza2rJ/", "$md5$"),
        ("$A$005$saltsaltsaltsaltsaltabcdefgh", "$A$"),
        ("{FOO}abcdefgh", "{FOO}"),
        ("{SASL}bob@EXAMPLE.ORG", "{SASL}"),
        ("{CRAM-MD5}dcf225701e66beda9ee06ed3497d068c62cac1c927a430310d023edc5b917262", "{CRAM-MD5}"),
        ("{CRYPT}$9$abcdefgh$ijklmnop", "{CRYPT}$9$"),
        ("3dd096e13e7dc5dcea9cd30ef1e223da", "declare"),
        ("hunter2", "declare"),
        ("{PLAIN}hunter2", "{PLAIN}"),
    ],
)
def test_unknown_scheme_is_named_and_not_a_no(stored: str, named: str) -> None:
    with pytest.raises(UnknownScheme) as caught:
        PasswordChecker().verify(stored, P)
    assert named in str(caught.value)
    assert stored[-6:] not in str(caught.value)
    assert not isinstance(caught.value, MalformedHash)


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        ("$2b$12$short", "bcrypt"),
        ("$2b$31$6hRyGDbo1Ts/TY3n/yT/8ulfCHWRk.Uki/qTELNWNU5cpwy9dno3.", "limit"),
        ("$2b$03$6hRyGDbo1Ts/TY3n/yT/8ulfCHWRk.Uki/qTELNWNU5cpwy9dno3.", "below 4"),
        ("$6$rounds=999999999$saltsalt$" + "." * 86, "limit"),
        ("$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$" + "A" * 43, "limit"),
        ("$argon2id$v=19$m=65536,t=4294967295,p=1$c29tZXNhbHQ$" + "A" * 43, "limit"),
        ("$argon2id$v=19$m=1048576,t=1,p=99999$c29tZXNhbHQ$" + "A" * 43, "limit"),
        ("$argon2id$v=19$m=1,t=1,p=1$c29tZXNhbHQ$" + "A" * 43, "argon2"),
        ("$scrypt$ln=30,r=8,p=1$FeLcG2OsVUrp3TvHOIfQug$" + "A" * 43, "limit"),
        ("scrypt$17$seasalt$8$5$" + "A" * 86 + "==", "impossible"),
        ("$7$zU..../....gU7h7tpG5Egzmq8/hTOtn0$" + "." * 43, "limit"),
        ("$y$jjT$SEXcZO0ceKluwoEnhJ88T.$" + "." * 43, "limit"),
        ("$y$j9zzz$SEXcZO0ceKluwoEnhJ88T.$" + "." * 43, "cannot be read"),
        ("$y$j75$.$" + "." * 43, "not of that scheme's form"),
        ("$y$z9T$SEXcZO0ceKluwoEnhJ88T.$" + "." * 43, "cannot be read"),
        ("$y$j9T.$SEXcZO0ceKluwoEnhJ88T.$" + "." * 43, "beyond N and r"),
        ("pbkdf2_sha256$999999999$seasalt$lzo+lEPDCMw6TkXiiJvpcSIoeYgCp5Rop/DJckGPAzI=", "limit"),
        ("pbkdf2_sha256$0$seasalt$lzo+lEPDCMw6TkXiiJvpcSIoeYgCp5Rop/DJckGPAzI=", "pbkdf2"),
        ("$P$zTyKTInXDEIEXVlzZXtgiWeUBLKafD/", "limit"),
        ("md5a596cddca1380c82f1c9e14026fbd406", "user name"),
        ("{SSHA}L+QiaAn8K2/V8p3E", "ssha"),
        ("{CRYPT}$1$x", "md5_crypt"),
    ],
)
def test_malformed_value_of_a_known_scheme_says_why(stored: str, reason: str) -> None:
    with pytest.raises(MalformedHash) as caught:
        PasswordChecker().verify(stored, P)
    assert reason in str(caught.value)


def test_forum_hash_without_salt_asks_for_it() -> None:
    with pytest.raises(MalformedHash, match="salt"):
        PasswordChecker("vb_md5").verify("31e565c185e682f5d4b6baa8af98f573", P)


LOCKED = ["", "  ", "!", "!!", "*", "x", "*LK*", "NP", "*0", "!$6$saltsalt$abc", "!!$1$abc", "*LOCKED*$6$a$b"]
LOCKED += ["{CRYPT}!", "{CRYPT}*", "{CRYPT}", "{SSHA}", "{CRYPT}!$6$saltsalt$abc"]
LOCKED += ["!SbBFR9JCXWxloK2OlMSTUbAoNtg6cnNQ8IjgnQov"]  # what Django writes for "no usable password"


@pytest.mark.parametrize("stored", [*LOCKED, None, b"", b"!"])
@pytest.mark.parametrize("declared", [None, "md5_hex"])
def test_locked_account_refuses_every_password(stored: str | bytes | None, declared: str | None) -> None:
    checker = PasswordChecker(declared)
    checker.observe("{SSHA}RtIYAdpGTJUZ0xswvrhCm/4YQBAcorFu")  # makes the check of nobody quick
    for password in ("!", "*", "x", P, str(stored or "")):
        assert checker.verify(stored, password) is False


@pytest.mark.parametrize("stored", ["", "!", "!!", "*", "x", "{PLAIN}", "{PLAIN}!", None])
def test_lock_marks_are_no_plain_passwords(stored: str | None) -> None:
    checker = PasswordChecker("plain")
    for password in ("!", "!!", "*", "x", "{PLAIN}", "{PLAIN}!"):
        assert checker.verify(stored, password) is False


def test_plain_is_read_only_where_it_is_allowed() -> None:
    assert PasswordChecker(allow_plain=True).verify("{CLEARTEXT}  two blanks ", "  two blanks ")
    assert PasswordChecker(allow_plain=True).verify("{plain}hunter2", "hunter2")
    assert not PasswordChecker(allow_plain=True).verify("{plain}hunter2", "Hunter2")
    assert PasswordChecker("plain").verify("{PLAIN}{odd}", "{odd}")
    assert PasswordChecker("plain").verify("!important*", "!important*")
    with pytest.raises(UnknownScheme, match="declare"):
        PasswordChecker(allow_plain=True).verify("hunter2", "hunter2")
    with pytest.raises(UnknownScheme, match="not allowed"):
        PasswordChecker("ssha").verify("{PLAIN}hunter2", "hunter2")


def test_hash_in_a_plain_column_is_compared_as_hash() -> None:
    stored = "{SSHA}RtIYAdpGTJUZ0xswvrhCm/4YQBAcorFu"
    assert PasswordChecker("plain").verify(stored, P)
    assert not PasswordChecker("plain").verify(stored, stored)
    with pytest.raises(UnknownScheme):
        PasswordChecker("plain").verify("$9$abc", "$9$abc")


def test_bytes_that_are_no_text_are_an_error() -> None:
    with pytest.raises(MalformedHash, match="UTF-8"):
        PasswordChecker("plain").verify("pässword".encode("latin-1"), "pässword")


def test_unknown_declaration_lists_what_is_known() -> None:
    with pytest.raises(UnknownScheme, match=r"'md6'.*ssha256"):
        PasswordChecker("md6")


def test_bcrypt_reads_72_bytes() -> None:
    of_80 = "$2y$04$tiNaaKyWHucGmb8Aijz9O.aSZQUoQ690HdmSXmwXq2XMvjzetnSw2"  # PHP's of 80 letters x
    of_72 = "bcrypt$$2b$04$aQjAIokeheDWiexTFHBSaeY6jSroCp/08KHkLIrZIyjzc5oa8OWNC"  # Django's of 72
    checker = PasswordChecker()
    for stored in (of_80, of_72):
        assert checker.verify(stored, "x" * 80)
        assert checker.verify(stored, "x" * 72)
        assert not checker.verify(stored, "x" * 71)


def test_wordpress_trims_as_php_does() -> None:
    stored = "$wp$2y$05$mxEKRlhuUNwB6rq.PIBEnOdCWSpi7cuunjeuoxqS65CEdhcP.8k5u"
    assert PasswordChecker().verify(stored, f" \t{P}\r\n")
    assert not PasswordChecker().verify(stored, f"\u00a0{P}")


@pytest.mark.parametrize(
    ("stored", "password"),
    [
        ("", ""),
        ("d41d8cd98f00b204e9800998ecf8427e", ""),  # MD5 of nothing
        ("93b885adfe0da089cdf634904fd59f71", "\0"),  # MD5 of one NUL
        ("3dd096e13e7dc5dcea9cd30ef1e223da", P + "\0"),
        ("3dd096e13e7dc5dcea9cd30ef1e223da", "\ud800"),
        ("21a199c53f422a380e20b162fb6ebe9c", "a" * 4097),  # its MD5
    ],
)
def test_unacceptable_password_is_refused_whatever_is_stored(stored: str, password: str) -> None:
    assert PasswordChecker("md5_hex").verify(stored, password) is False


def test_longest_acceptable_password_is_accepted() -> None:
    assert PasswordChecker("md5_hex").verify("21a199c53f422a380e20b162fb6ebe9c", "a" * 4096) is True


@pytest.mark.parametrize("scheme", schemes())
def test_made_value_is_read_back_without_declaration(scheme: str) -> None:
    made = hash_password(P, scheme)
    assert made != hash_password(P, scheme)
    assert PasswordChecker().verify(made, P)
    assert not PasswordChecker().verify(made, P + "x")
    assert not is_weak(scheme)


def test_default_is_argon2_with_19_mib() -> None:
    assert hash_password(P).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize("password", ["", "a\0b", "a" * 4097, "\ud800"])
def test_password_that_no_checker_accepts_is_not_hashed(password: str) -> None:
    with pytest.raises(ValueError, match="password must"):
        hash_password(password, "ssha256")


def test_hashing_says_what_it_cannot_do() -> None:
    with pytest.raises(ValueError, match="72 bytes"):
        hash_password("x" * 73, "bcrypt")
    with pytest.raises(UnknownScheme, match="argon2"):
        hash_password(P, "mysql323")
