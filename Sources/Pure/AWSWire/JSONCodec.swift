// AWS JSON 1.0 and 1.1: one POST, the operation in X-Amz-Target, JSON both ways.

import AWSCore

struct JSONCodec: DocumentCodec {
  var wireProtocol: WireProtocol { .json }

  static var document: String { "JSON object" }

  static func parse(_ bytes: [UInt8]) throws(DecodeFault) -> DynamicValue {
    do { return try JSON.parse(bytes) } catch { throw .malformed("The request's body is not JSON: \(error).") }
  }

  static func serialization(_ fault: DecodeFault) -> AWSError {
    switch fault {
    case .malformed(let message): AWSError("SerializationException", message)
    case .wrongType(let member, let expected, let found):
      AWSError("SerializationException", "\(found) can not be converted to \(article(expected)) (member \(member)).")
    }
  }

  private static func article(_ word: String) -> String {
    word.first.map { "IAEOU".contains($0) } == true ? "an \(word)" : "a \(word)"
  }

  func encode(output: StructureValue, operation: OperationModel, model: ServiceModel, requestID: String) -> WireResponse
  {
    var body: [UInt8] = []
    let shapes = model.shapes
    if let index = operation.output, case .structure(let members) = shapes[index].kind {
      body.reserveCapacity(512)
      JSONShapeWriter(shapes: shapes).structure(output, members, to: &body)
    } else {
      body = Array("{}".utf8)
    }
    return WireResponse(status: operation.status, headers: headers(model, requestID), body: body)
  }

  private func headers(_ model: ServiceModel?, _ requestID: String) -> WireHeaders {
    [
      "Content-Type": "application/x-amz-json-\(model?.header.jsonVersion ?? "1.1")",
      "x-amzn-RequestId": requestID,
    ]
  }

  func encode(
    error: AWSError, operation: OperationModel?, model: ServiceModel?, requestID: String, resource: String?
  ) -> WireResponse {
    let names = ErrorNames(error.code, model)
    var headers = headers(model, requestID)
    headers.append("x-amzn-ErrorType", names.shape)
    if let query = queryError(error, names.code, model) { headers.append("x-amzn-query-error", query) }
    let body = JSON.write(.object(errorMembers(error, type: names.shape, messageName: names.trait?.messageName)))
    return WireResponse(status: error.status, headers: headers, body: body)
  }
}

/// The members of an error's document on JSON and CBOR.
func errorMembers(_ error: AWSError, type: String?, messageName: String?) -> [DynamicValue.Entry] {
  var entries: [DynamicValue.Entry] = []
  if let type { entries.append(.init("__type", .string(type))) }
  entries.append(.init(messageName ?? "message", .string(error.message)))
  for (key, value) in error.fields.sorted(by: { $0.key < $1.key }) { entries.append(.init(key, .string(value))) }
  return entries
}

/// What a service that once spoke the query protocol adds, so that clients still see the old codes.
func queryError(_ error: AWSError, _ code: String, _ model: ServiceModel?) -> String? {
  guard model?.header.awsQueryCompatible == true else { return nil }
  return "\(code);\(error.fault == .client ? "Sender" : "Receiver")"
}

/// Writes trees as JSON.
struct JSONShapeWriter {
  let shapes: [Shape]

  func structure(_ value: StructureValue, _ members: [Member], bodyOnly: Bool = false, to out: inout [UInt8]) {
    out.append(UInt8(ascii: "{"))
    var isFirst = true
    for index in 0..<min(members.count, value.members.count) {
      // Members are large values: only those that are there are copied.
      guard let value = value.members[index] else { continue }
      let member = members[index]
      if (bodyOnly && member.location != .body) || member.isStreaming { continue }
      if !isFirst { out.append(UInt8(ascii: ",")) }
      isFirst = false
      JSON.string(member.wireName, to: &out)
      out.append(UInt8(ascii: ":"))
      self.value(value, shapes[member.shape], member.timestampFormat, to: &out)
    }
    out.append(UInt8(ascii: "}"))
  }

  func value(_ value: WireValue, _ shape: Shape, _ format: TimestampFormat?, to out: inout [UInt8]) {
    switch value {
    case .string(let text): JSON.string(text, to: &out)
    case .integer(let number): out.append(contentsOf: String(number).utf8)
    case .double(let number): JSON.number(number, to: &out)
    case .boolean(let flag): out.append(contentsOf: (flag ? "true" : "false").utf8)
    case .blob(let bytes):
      out.append(UInt8(ascii: "\""))
      out.append(contentsOf: Base64.encodeBytes(bytes))
      out.append(UInt8(ascii: "\""))
    case .timestamp(let time):
      let format = format ?? shape.timestampFormat ?? .unixTimestamp
      if format == .unixTimestamp {
        out.append(contentsOf: ScalarText.timestamp(time, format).utf8)
      } else {
        JSON.string(ScalarText.timestamp(time, format), to: &out)
      }
    case .list(let values):
      guard case .list(let element) = shape.kind else { return out.append(contentsOf: "null".utf8) }
      out.append(UInt8(ascii: "["))
      for (index, value) in values.enumerated() {
        if index > 0 { out.append(UInt8(ascii: ",")) }
        self.value(value, shapes[element], nil, to: &out)
      }
      out.append(UInt8(ascii: "]"))
    case .map(let entries):
      guard case .map(_, let element) = shape.kind else { return out.append(contentsOf: "null".utf8) }
      out.append(UInt8(ascii: "{"))
      for (index, entry) in entries.enumerated() {
        if index > 0 { out.append(UInt8(ascii: ",")) }
        JSON.string(entry.key, to: &out)
        out.append(UInt8(ascii: ":"))
        self.value(entry.value, shapes[element], nil, to: &out)
      }
      out.append(UInt8(ascii: "}"))
    case .structure(let value):
      guard case .structure(let members) = shape.kind else { return out.append(contentsOf: "null".utf8) }
      structure(value, members, to: &out)
    }
  }
}
