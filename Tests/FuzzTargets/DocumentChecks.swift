// Documents of the AWS protocols, before anybody has looked at their signature.
import AWSWire

enum DocumentChecks {
  static func run(_ bytes: [UInt8]) {
    _ = try? JSON.parse(bytes)
    _ = try? XMLNode.parse(bytes)
  }
}
