// Digests against published values: FIPS 180-4, RFC 1321, RFC 2202, RFC 4231.
#include "wire/digest.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace unit_digest {

using namespace multiprocessing::runtime;

std::span<const std::byte> raw(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    text += "0123456789abcdef"[std::to_integer<unsigned>(byte >> 4)];
    text += "0123456789abcdef"[std::to_integer<unsigned>(byte & std::byte{15})];
  }
  return text;
}

template <class Digest>
std::string digest(std::string_view text) {
  Digest digest;
  digest.update(raw(text));
  return hex(digest.finish());
}

TEST_SUITE("unit.digest") {
  TEST_CASE("SHA-256 of the standard's examples") {
    CHECK(digest<Sha256>("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(digest<Sha256>("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(digest<Sha256>("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK(digest<Sha256>(std::string(1'000'000, 'a')) ==
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  }

  TEST_CASE("MD5 of the standard's examples") {
    CHECK(digest<Md5>("") == "d41d8cd98f00b204e9800998ecf8427e");
    CHECK(digest<Md5>("abc") == "900150983cd24fb0d6963f7d28e17f72");
    CHECK(digest<Md5>("message digest") == "f96b697d7cb7938d525a2f31aaf161d0");
    CHECK(digest<Md5>("12345678901234567890123456789012345678901234567890123456789012345678901234567890") ==
          "57edf4a22be3c955ac49da2e2107b67a");
  }

  TEST_CASE("HMAC-SHA-256 of the standard's examples") {
    CHECK(hex(hmac<Sha256>(raw(std::string(20, '\x0b')), raw("Hi There"))) ==
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    CHECK(hex(hmac<Sha256>(raw("Jefe"), raw("what do ya want for nothing?"))) ==
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    CHECK(hex(hmac<Sha256>(raw(std::string(131, '\xaa')),
                           raw("Test Using Larger Than Block-Size Key - Hash Key First"))) ==
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  }

  TEST_CASE("HMAC-MD5 of the standard's examples") {
    CHECK(hex(hmac<Md5>(raw(std::string(16, '\x0b')), raw("Hi There"))) ==
          "9294727a3638bb1c13f48ef8158bfc9d");
    CHECK(hex(hmac<Md5>(raw("Jefe"), raw("what do ya want for nothing?"))) ==
          "750c783e6ab0b503eaa86e310a5db738");
    CHECK(hex(hmac<Md5>(raw(std::string(80, '\xaa')),
                        raw("Test Using Larger Than Block-Size Key - Hash Key First"))) ==
          "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
  }

  TEST_CASE("what comes in pieces of any length has the digest of the whole") {
    const std::string text(300, 'x');
    const auto whole = digest<Sha256>(text);
    for (std::size_t size = 1; size <= text.size(); ++size) {
      Sha256 pieces;
      for (std::size_t at = 0; at < text.size(); at += size)
        pieces.update(raw(std::string_view(text).substr(at, size)));
      CHECK(hex(pieces.finish()) == whole);
    }
  }

  TEST_CASE("comparing tells any difference") {
    const std::string text(32, 'k');
    CHECK(equal_in_constant_time(raw(text), raw(text)));
    CHECK_FALSE(equal_in_constant_time(raw(text), raw(text.substr(1))));
    for (std::size_t i = 0; i < text.size(); ++i) {
      auto other = text;
      other[i] = 'l';
      CHECK_FALSE(equal_in_constant_time(raw(text), raw(other)));
    }
  }
}

}  // namespace unit_digest
