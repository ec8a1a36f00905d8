// Answers that our codecs write are read by botocore's parsers to what was meant.

import AWSCore
import AWSWire
import CastleTesting
import Foundation
import Testing

@Suite("Answers that botocore parses")
struct GoldenResponseTests {
  private static let requestID = "8f4c3b2a-0000-4000-8000-00000000cafe"

  private func entry(
    _ golden: DynamicValue, _ wire: WireProtocol, _ response: WireResponse, _ rest: [DynamicValue.Entry]
  ) -> DynamicValue {
    .object(
      [
        .init("service", golden["service"] ?? .null), .init("operation", golden["operation"] ?? .null),
        .init("protocol", .string(wire.rawValue)), .init("status", .integer(response.status)),
        .init("headers", .array(response.headers.fields.map { .array([.string($0.name), .string($0.value)]) })),
        .init("body", .string(Data(response.body).base64EncodedString())),
        .init("requestID", .string(Self.requestID)),
      ] + rest)
  }

  private func protocols(_ golden: DynamicValue, _ model: ServiceModel) -> WireProtocol {
    golden["protocol"]?.string.flatMap { WireProtocol(rawValue: $0) } ?? model.header.protocols[0]
  }

  @Test("every golden answer and an error of every kind is parsed by botocore to what was meant")
  func parses() async throws {
    var entries: [DynamicValue] = []
    for golden in try Golden.cases("responses.json") {
      let model = try Models.named(golden["module"]?.string ?? "")
      let operation = try #require(model.operation(golden["operation"]?.string ?? ""))
      let wire = protocols(golden, model)
      let output = try #require(golden["output"])
      let tree = try PlainTree(model).tree(output, shape: operation.output)
      let response = wire.codec.encode(
        output: tree, operation: operation, model: model, requestID: Self.requestID)
      entries.append(entry(golden, wire, response, [.init("output", output)]))
    }
    entries += try errors()
    try await check(entries)
  }

  /// An error in each protocol: what is thrown, and what botocore shall see.
  private func errors() throws -> [DynamicValue] {
    let cases: [(String, String, String, WireProtocol, AWSError, [String: String])] = [
      ("KMS", "kms", "Encrypt", .json, AWSError("NotFoundException", "Key 'x' <does> not exist"), [:]),
      ("SecretsManager", "secretsmanager", "GetSecretValue", .json, AWSError("ResourceNotFoundException", "no"), [:]),
      ("IAM", "iam", "GetRole", .query, AWSError("NoSuchEntity", "no <role>", status: 404), ["Type": "Sender"]),
      // Thrown by the shape's name, told by its code.
      ("IAM", "iam", "GetRole", .query, AWSError("NoSuchEntityException", "no", status: 404), ["Code": "NoSuchEntity"]),
      ("ELBv2", "elbv2", "CreateListener", .query, AWSError("InternalFailure", "x", status: 500), ["Type": "Receiver"]),
      ("EC2", "ec2", "DescribeVpcs", .ec2, AWSError("InvalidVpcID.NotFound", "The vpc ID 'v' does not exist"), [:]),
      (
        "S3", "s3", "GetObject", .restXML,
        AWSError("NoSuchKey", "The specified key does not exist.", status: 404, fields: ["Key": "a&b"]),
        ["Key": "a&b", "Resource": "/b/a"]
      ),
      (
        "Route53", "route53", "GetHostedZone", .restXML, AWSError("NoSuchHostedZone", "no", status: 404),
        ["Type": "Sender"]
      ),
      (
        "CloudWatch", "cloudwatch", "DescribeAlarms", .cbor, AWSError("InvalidNextToken", "bad"),
        ["Type": "Sender"]
      ),
      ("CloudWatch", "cloudwatch", "DescribeAlarms", .json, AWSError("InvalidNextToken", "bad"), ["Type": "Sender"]),
      ("CloudWatch", "cloudwatch", "DescribeAlarms", .query, AWSError("InvalidNextToken", "bad"), [:]),
      ("WAFv2", "wafv2", "GetWebACL", .json, .notImplemented(service: "WAFV2", operation: "GetWebACL"), [:]),
    ]
    return try cases.map { module, service, name, wire, error, expected in
      let model = try Models.named(module)
      let response = wire.codec.encode(
        error: error, operation: model.operation(name), model: model, requestID: Self.requestID, resource: "/b/a")
      var members = ["Code": error.code, "Message": error.message]
      members.merge(expected) { $1 }
      let golden = DynamicValue.object([.init("service", .string(service)), .init("operation", .string(name))])
      return entry(
        golden, wire, response,
        [.init("error", .object(members.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) }))])
    }
  }

  /// Runs the committed script over the answers.
  private func check(_ entries: [DynamicValue]) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "castle-wire-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "answers.json")
    try Data(JSON.write(.array(entries))).write(to: file)
    let ended = try await Program.run(["python3", Golden.path("check_responses.py"), file.path])
    #expect(ended.status == 0, "\(String(decoding: ended.output + ended.error, as: UTF8.self))")
  }
}
