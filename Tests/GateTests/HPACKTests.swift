// Header compression against the examples of RFC 7541 (appendix C), against its errors, and against random bytes.
import Testing

@testable import HTTPWire

func hexadecimal(_ text: String) -> [UInt8] {
  let digits = text.utf8.filter { $0 != 0x20 && $0 != 0x0A }
  return stride(from: 0, to: digits.count, by: 2).map { index in
    UInt8(String(decoding: digits[index..<(index + 2)], as: UTF8.self), radix: 16) ?? 0
  }
}

extension HPACKDecoder {
  /// All fields of a block as `name: value`; nil when it is broken.
  mutating func fields(_ block: [UInt8]) -> [String]? {
    var output = [UInt8](repeating: 0, count: HPACKDecoder.roomNeeded(block.count))
    var result: [String] = []
    var position = 0
    while true {
      let step = block.withUnsafeBufferPointer { block in
        output.withUnsafeMutableBufferPointer { output -> Step in
          guard let out = output.baseAddress else { return .invalid }
          // An empty array has no address; nothing is read from the other one then.
          return next(block.baseAddress ?? UnsafePointer(out), &position, block.count, out)
        }
      }
      switch step {
      case .field(let field): result.append(String(decoding: output[0..<(field.length - 2)], as: UTF8.self))
      case .end: return result
      case .invalid: return nil
      }
    }
  }
}

@Suite("HPACK")
struct HPACKTests {
  @Test("a field without name and value may be the first in the table")
  func emptyField() {
    var decoder = HPACKDecoder()
    #expect(decoder.fields(hexadecimal("4000 00be")) == [": ", ": "])
    #expect(decoder.tableSize == 32 && decoder.tableCount == 1)
  }

  @Test(
    "the examples of RFC 7541 decode, block after block, with the table that they build",
    arguments: [
      // C.3 without Huffman, C.4 with: three requests of one connection.
      [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
      ],
      [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
      ],
    ])
  func requests(_ blocks: [String]) {
    var decoder = HPACKDecoder()
    #expect(
      decoder.fields(hexadecimal(blocks[0])) == [
        ":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com",
      ])
    #expect(decoder.tableSize == 57)
    #expect(
      decoder.fields(hexadecimal(blocks[1])) == [
        ":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com", "cache-control: no-cache",
      ])
    #expect(decoder.tableSize == 110)
    #expect(
      decoder.fields(hexadecimal(blocks[2])) == [
        ":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com",
        "custom-key: custom-value",
      ])
    #expect(decoder.tableSize == 164 && decoder.tableCount == 3)
  }

  @Test(
    "responses in a table of 256 bytes push out what is oldest",
    arguments: [
      [
        """
        4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d
        546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d
        """, "4803 3330 37c1 c0bf",
        """
        88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f
        6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b
        2076 6572 7369 6f6e 3d31
        """,
      ],
      [
        """
        4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7
        8f0b 97c8 e9ae 82ae 43d3
        """, "4883 640e ffc1 c0bf",
        """
        88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335
        dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07
        """,
      ],
    ])
  func responses(_ blocks: [String]) {
    var decoder = HPACKDecoder(tableMax: 256)
    #expect(
      decoder.fields(hexadecimal(blocks[0])) == [
        ":status: 302", "cache-control: private", "date: Mon, 21 Oct 2013 20:13:21 GMT",
        "location: https://www.example.com",
      ])
    #expect(decoder.tableSize == 222)
    #expect(
      decoder.fields(hexadecimal(blocks[1])) == [
        ":status: 307", "cache-control: private", "date: Mon, 21 Oct 2013 20:13:21 GMT",
        "location: https://www.example.com",
      ])
    #expect(decoder.tableSize == 222)
    #expect(
      decoder.fields(hexadecimal(blocks[2])) == [
        ":status: 200", "cache-control: private", "date: Mon, 21 Oct 2013 20:13:22 GMT",
        "location: https://www.example.com", "content-encoding: gzip",
        "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
      ])
    #expect(decoder.tableSize == 215 && decoder.tableCount == 3)
  }

  @Test(
    "what RFC 7541 calls an error is one",
    arguments: [
      ("index 0", "80"), ("an index beyond the table", "be"), ("an index far beyond", "ffff ffff 7f"),
      ("an integer that never ends", "ffff ffff ffff ff"), ("an integer cut off", "ff"),
      ("a literal cut off", "40"), ("a name cut off", "4003 6162"), ("a value cut off", "4001 6102 62"),
      ("a name's index beyond the table", "7e01 61"), ("a larger table than we allow", "3fe2 1f"),
      ("a table's size behind a field", "8220"), ("padding of eight ones", "0001 6182 1fff"),
      ("padding of zeros", "0001 6181 18"), ("the symbol for the end", "0001 6184 ffff ffff"),
      ("a string longer than the block", "0001 617f ffff ffff 07"),
    ])
  func errors(_ what: String, _ block: String) {
    var decoder = HPACKDecoder()
    #expect(decoder.fields(hexadecimal(block)) == nil, "\(what)")
  }

  @Test("names with capitals and values with control characters are marked, when new and when from the table")
  func marks() {
    var decoder = HPACKDecoder()
    var output = [UInt8](repeating: 0, count: 8192)
    for (block, isGood) in [
      ("4001 4101 62", false), ("be", false), ("7e01 62", false), ("4001 6101 0a", false), ("be", false),
      ("4001 6101 62", true), ("be", true), ("0001 6102 2062", false), ("0001 6102 6209", false),
      ("0002 6120 0162", false), ("0000 0162", false), ("0001 3a01 62", false), ("0002 3a61 0162", true),
      ("0001 6100", true),
    ] {
      let bytes = hexadecimal(block)
      var position = 0
      let step = bytes.withUnsafeBufferPointer { bytes in
        output.withUnsafeMutableBufferPointer { output -> HPACKDecoder.Step in
          guard let block = bytes.baseAddress, let out = output.baseAddress else { return .invalid }
          return decoder.next(block, &position, bytes.count, out)
        }
      }
      guard case .field(let field) = step else {
        Issue.record("\(block): \(step)")
        continue
      }
      #expect(field.isGood == isGood, "\(block)")
    }
  }

  @Test("what the encoder writes, the decoder reads, whatever the names and values")
  func roundTrip() {
    var random = Seeded(7)
    var decoder = HPACKDecoder()
    let encoder = HPACKEncoder()
    let names = ["content-type", "X-Some-Name", "etag", "a", "set-cookie", "accept-encoding", "Server"]
    for _ in 0..<2000 {
      let name = names[Int(random.next() % UInt64(names.count))]
      var value = random.bytes(Int(random.next() % 300)).map { 0x21 + $0 % 90 }
      if random.next() % 5 == 0 { value = Array("gzip, deflate".utf8) }
      let status = 100 + Int(random.next() % 500)
      var block = [UInt8](repeating: 0, count: 1000)
      let nameBytes = Array(name.utf8)
      let count = block.withUnsafeMutableBufferPointer { block -> Int in
        guard let out = block.baseAddress else { return 0 }
        let first = encoder.writeStatus(status, out)
        return nameBytes.withUnsafeBufferPointer { name in
          value.withUnsafeBufferPointer { value in
            guard let text = name.baseAddress else { return 0 }
            return first + encoder.write(text, name.count, value.baseAddress ?? text, value.count, out + first)
          }
        }
      }
      let expected = [":status: \(status)", "\(name.lowercased()): \(String(decoding: value, as: UTF8.self))"]
      #expect(decoder.fields(Array(block[0..<count])) == expected)
    }
  }

  @Test("random and damaged blocks never crash, and the table keeps within its size")
  func fuzz() {
    var random = Seeded(20_261_123)
    let good = [
      "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
      "4803 3330 3258 0770 7269 7661 7465", "3f e1 1f 82", "20 82 3f 09",
    ].map(hexadecimal)
    for _ in 0..<200 {
      var decoder = HPACKDecoder()
      for _ in 0..<50 {
        var block: [UInt8] = []
        if random.next() % 2 == 0 {
          block = random.bytes(Int(random.next() % 200))
        } else {
          for _ in 0...(random.next() % 4) { block += good[Int(random.next() % UInt64(good.count))] }
          for _ in 0..<(random.next() % 4) where !block.isEmpty {
            block[Int(random.next() % UInt64(block.count))] = UInt8(truncatingIfNeeded: random.next())
          }
        }
        let fields = decoder.fields(block)
        #expect(decoder.tableSize <= HTTP2.tableSizeDefault)
        if fields == nil { break }
      }
    }
  }
}
