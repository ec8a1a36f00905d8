// Receipts: what is signed, and what a signature proves.
import StorefrontKit
import Testing

@testable import storefront_backend

@Suite struct ReceiptTests {
  private static let secret = "a secret of more than sixteen bytes"

  private static func statement(cents: Int = 100, name: String = "Ada", address: String = "1 Moat Lane") -> String {
    ReceiptStatement(
      order: "a1", number: 1001, placed: "2026-11-23T04:05:06Z", name: name, email: "ada@example.com",
      address: address, lines: [Line(product: "keep-mug", name: "Keep mug", cents: cents, quantity: 2)]
    ).text
  }

  @Test("a signature verifies for what was signed and for nothing else")
  func verifies() throws {
    let signer = try ReceiptSigner(secret: Self.secret)
    let signature = try signer.sign(Self.statement())
    let verify = { ReceiptSigner.verify($0, signature: signature, publicKey: signer.publicKey) }
    #expect(verify(Self.statement()))
    #expect(!verify(Self.statement(cents: 99)))
    #expect(!verify(Self.statement(name: "Eve")))
    #expect(!verify(Self.statement(name: "Ada1", address: " Moat Lane")))
    #expect(!ReceiptSigner.verify(Self.statement(), signature: "no base64", publicKey: signer.publicKey))
  }

  @Test("another secret gives another key, the same secret the same")
  func keys() throws {
    let one = try ReceiptSigner(secret: Self.secret)
    let same = try ReceiptSigner(secret: Self.secret)
    let other = try ReceiptSigner(secret: Self.secret + "!")
    #expect(one.keyID == same.keyID && one.publicKey == same.publicKey)
    #expect(one.keyID != other.keyID)
    let signature = try one.sign(Self.statement())
    #expect(!ReceiptSigner.verify(Self.statement(), signature: signature, publicKey: other.publicKey))
  }

  @Test("a secret too short to be one is refused")
  func short() {
    #expect(throws: SettingError.self) { _ = try ReceiptSigner(secret: "short") }
  }

  @Test("a checkout's fields are trimmed, and each is asked for when it does not do")
  func fields() throws {
    let good = PlaceOrder(checkout: "12345678", name: " Ada ", email: "ada@example.com", address: "1 Moat Lane\n")
    #expect(try API.checked(good).name == "Ada")
    for bad in [
      PlaceOrder(checkout: "1", name: "Ada", email: "ada@example.com", address: "1 Moat Lane"),
      PlaceOrder(checkout: "12345678", name: " ", email: "ada@example.com", address: "1 Moat Lane"),
      PlaceOrder(checkout: "12345678", name: "Ada", email: "ada", address: "1 Moat Lane"),
      PlaceOrder(checkout: "12345678", name: "Ada", email: "ada@example.com", address: "1"),
      PlaceOrder(checkout: "12345678", name: "A\u{0}da", email: "ada@example.com", address: "1 Moat Lane"),
    ] {
      #expect(throws: (any Error).self) { _ = try API.checked(bad) }
    }
  }

  @Test("TLS to the session store, which is not built, is refused by name")
  func tls() {
    let settings = Settings(["SESSIONS_TLS": "true", "SESSIONS_HOST": "127.0.0.1"])
    #expect(throws: SettingError.self) {
      _ = try RedisClient(settings: settings, logger: .init(label: "test"))
    }
  }
}
