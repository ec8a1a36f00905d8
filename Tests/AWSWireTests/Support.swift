// What the wire's tests share: the models by name, trees as plain JSON and back, and the golden files.

import ACMModel
import ARCZonalShiftModel
import AWSCore
import AWSWire
import ApplicationAutoScalingModel
import CloudFormationModel
import CloudWatchLogsModel
import CloudWatchModel
import EC2Model
import ECRModel
import ECSModel
import ELBv2Model
import ElastiCacheModel
import Foundation
import IAMModel
import KMSModel
import RDSModel
import Route53Model
import S3Model
import STSModel
import SecretsManagerModel
import ShieldModel
import WAFv2Model

enum Models {
  static let byName: [(String, ServiceModel)] = [
    ("ACM", ACM.model), ("ARCZonalShift", ARCZonalShift.model),
    ("ApplicationAutoScaling", ApplicationAutoScaling.model),
    ("CloudFormation", CloudFormation.model), ("CloudWatch", CloudWatch.model),
    ("CloudWatchLogs", CloudWatchLogs.model),
    ("EC2", EC2.model), ("ECR", ECR.model), ("ECS", ECS.model), ("ELBv2", ELBv2.model),
    ("ElastiCache", ElastiCache.model), ("IAM", IAM.model), ("KMS", KMS.model), ("RDS", RDS.model),
    ("Route53", Route53.model), ("S3", S3.model), ("STS", STS.model), ("SecretsManager", SecretsManager.model),
    ("Shield", Shield.model), ("WAFv2", WAFv2.model),
  ]
  static let all = byName.map(\.1)
  static let router = ServiceRouter(models: all)

  static func named(_ name: String) throws -> ServiceModel {
    guard let found = byName.first(where: { $0.0 == name }) else { throw TestFault("no model \(name)") }
    return found.1
  }
}

struct TestFault: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}

/// Files that Golden/ holds.
enum Golden {
  static func path(_ name: String) -> String {
    URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden/\(name)").path
  }

  static func cases(_ name: String) throws -> [DynamicValue] {
    guard let data = FileManager.default.contents(atPath: path(name)) else { throw TestFault("no file \(name)") }
    guard case .array(let cases) = try JSON.parse(Array(data)) else { throw TestFault("\(name) is no list") }
    return cases
  }
}

/// Trees as the golden files write them: `{"$bytes": base64}`, `{"$time": milliseconds}`, `{"$double": "NaN"}`.
struct PlainTree {
  let shapes: [Shape]
  init(_ model: ServiceModel) { shapes = model.shapes }

  func plain(_ value: StructureValue, shape index: Int?) -> DynamicValue {
    guard let index else { return .object([]) }
    return plain(.structure(value), shapes[index])
  }

  private func plain(_ value: WireValue, _ shape: Shape) -> DynamicValue {
    switch (value, shape.kind) {
    case (.string(let value), _): return .string(value)
    case (.integer(let value), _): return .integer(value)
    case (.double(let value), _):
      return value.isFinite ? .double(value) : .object([.init("$double", .string(value.isNaN ? "NaN" : "\(value)"))])
    case (.boolean(let value), _): return .boolean(value)
    case (.blob(let value), _): return .object([.init("$bytes", .string(Data(value).base64EncodedString()))])
    case (.timestamp(let value), _): return .object([.init("$time", .integer(Int(value.milliseconds)))])
    case (.list(let values), .list(let element)): return .array(values.map { plain($0, shapes[element]) })
    case (.map(let entries), .map(_, let element)):
      return sorted(entries.map { .init($0.key, plain($0.value, shapes[element])) })
    case (.structure(let value), .structure(let members)):
      var entries: [DynamicValue.Entry] = []
      for (member, value) in zip(members, value.members) {
        if let value { entries.append(.init(member.name, plain(value, shapes[member.shape]))) }
      }
      return sorted(entries)
    default: return .null
    }
  }

  private func sorted(_ entries: [DynamicValue.Entry]) -> DynamicValue {
    .object(entries.sorted { $0.key < $1.key })
  }

  func tree(_ value: DynamicValue, shape index: Int?) throws -> StructureValue {
    guard let index else { return StructureValue(count: 0) }
    guard case .structure(let value) = try tree(value, shapes[index]) else { throw TestFault("no structure") }
    return value
  }

  private func tree(_ value: DynamicValue, _ shape: Shape) throws -> WireValue {
    switch (shape.kind, value) {
    case (.string, .string(let text)): return .string(text)
    case (.integer, .integer(let number)): return .integer(number)
    case (.double, .double(let number)): return .double(number)
    case (.double, .integer(let number)): return .double(Double(number))
    case (.double, .object): if let text = value["$double"]?.string { return .double(Double(text) ?? .nan) }
    case (.boolean, .boolean(let flag)): return .boolean(flag)
    case (.blob, _):
      if let text = value["$bytes"]?.string, let data = Data(base64Encoded: text) { return .blob(Array(data)) }
    case (.timestamp, _):
      if let time = value["$time"]?.integer { return .timestamp(Timestamp(milliseconds: Int64(time))) }
    case (.list(let element), .array(let values)): return .list(try values.map { try tree($0, shapes[element]) })
    case (.map(_, let element), .object(let entries)):
      return .map(try entries.map { .init($0.key, try tree($0.value, shapes[element])) })
    case (.structure(let members), .object(let entries)):
      var result = StructureValue(count: members.count)
      for entry in entries {
        guard let at = members.firstIndex(where: { $0.name == entry.key }) else {
          throw TestFault("\(shape.name) has no member \(entry.key)")
        }
        result.members[at] = try tree(entry.value, shapes[members[at].shape])
      }
      return .structure(result)
    default: break
    }
    throw TestFault("\(shape.name) can not hold \(value)")
  }
}

extension DynamicValue {
  /// With every object's keys in order, so that two can be compared.
  var canonical: DynamicValue {
    switch self {
    case .array(let values): .array(values.map(\.canonical))
    case .object(let entries):
      .object(entries.map { .init($0.key, $0.value.canonical) }.sorted { $0.key < $1.key })
    default: self
    }
  }
}

/// Repeatable random numbers (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

extension WireRequest {
  init(golden: DynamicValue) throws {
    guard let method = golden["method"]?.string, let path = golden["path"]?.string, let query = golden["query"]?.string,
      let headers = golden["headers"]?.object, let body = golden["body"]
    else { throw TestFault("a golden request without its parts") }
    self.init(method: method, path: path, query: query)
    self.headers = WireHeaders(headers.map { .init($0.key, $0.value.string ?? "") })
    if let text = body["text"]?.string {
      self.body = Array(text.utf8)
    } else if let text = body["base64"]?.string, let data = Data(base64Encoded: text) {
      self.body = Array(data)
    }
  }
}
