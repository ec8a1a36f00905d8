// Requests as botocore writes them are read back to what was asked for.

import AWSCore
import AWSWire
import Testing

@Suite("Requests that botocore serialised")
struct GoldenRequestTests {
  static let cases = (try? Golden.cases("requests.json")) ?? []

  @Test("every golden request is routed to its operation and decoded to its parameters", arguments: cases.indices)
  func decodes(index: Int) throws {
    let golden = Self.cases[index]
    let name = golden["operation"]?.string ?? ""
    let model = try Models.named(golden["module"]?.string ?? "")
    let request = try WireRequest(golden: golden)
    for signingName in [golden["signingName"]?.string, nil] {
      let routed = try Models.router.route(request, signingName: signingName)
      #expect(routed.model === model, "\(name) signed for \(signingName ?? "nobody")")
      #expect(routed.operationName == name)
      #expect(routed.wireProtocol.rawValue == golden["protocol"]?.string)
      let operation = try #require(routed.operation)
      let input = try routed.input()
      let plain = PlainTree(model).plain(input, shape: operation.input)
      #expect(plain.canonical == golden["parameters"]?.canonical, "\(name)")
    }
  }

  @Test("there are golden requests for all protocols in use")
  func isComplete() {
    let protocols = Set(Self.cases.compactMap { $0["protocol"]?.string })
    #expect(protocols == ["query", "ec2", "json", "rest-xml", "smithy-rpc-v2-cbor"])
    #expect(Self.cases.count > 40)
  }
}
