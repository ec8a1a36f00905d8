// Smithy RPC v2 with CBOR: POST /service/SERVICE/operation/OPERATION, CBOR both ways.

import AWSCore

struct CBORCodec: DocumentCodec {
  var wireProtocol: WireProtocol { .cbor }

  static var document: String { "CBOR map" }

  static func parse(_ bytes: [UInt8]) throws(DecodeFault) -> DynamicValue {
    do { return try CBOR.parse(bytes) } catch { throw .malformed("The request's body is not CBOR: \(error.message).") }
  }

  private func headers(_ requestID: String) -> WireHeaders {
    ["Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor", "x-amzn-RequestId": requestID]
  }

  func encode(output: StructureValue, operation: OperationModel, model: ServiceModel, requestID: String) -> WireResponse
  {
    var body: [UInt8] = []
    let shapes = model.shapes
    if let index = operation.output, case .structure(let members) = shapes[index].kind {
      structure(output, members, shapes, to: &body)
    } else {
      CBOR.head(5, 0, to: &body)
    }
    return WireResponse(status: operation.status, headers: headers(requestID), body: body)
  }

  func encode(
    error: AWSError, operation: OperationModel?, model: ServiceModel?, requestID: String, resource: String?
  ) -> WireResponse {
    let names = ErrorNames(error.code, model)
    var headers = headers(requestID)
    if let query = queryError(error, names.code, model) { headers.append("x-amzn-query-error", query) }
    // The protocol asks for the shape's absolute name.
    let type = "com.amazonaws.\(model?.header.endpointPrefix ?? "castle")#\(names.shape)"
    let entries = errorMembers(error, type: type, messageName: names.trait?.messageName)
    var body: [UInt8] = []
    CBOR.head(5, UInt64(entries.count), to: &body)
    for entry in entries {
      CBOR.string(entry.key, to: &body)
      CBOR.string(entry.value.string ?? "", to: &body)
    }
    return WireResponse(status: error.status, headers: headers, body: body)
  }

  private func structure(_ value: StructureValue, _ members: [Member], _ shapes: [Shape], to out: inout [UInt8]) {
    let present = zip(members, value.members).filter { $0.1 != nil && !$0.0.isStreaming }
    CBOR.head(5, UInt64(present.count), to: &out)
    for (member, value) in present {
      CBOR.string(member.wireName, to: &out)
      if let value { self.value(value, shapes[member.shape], shapes, to: &out) }
    }
  }

  private func value(_ value: WireValue, _ shape: Shape, _ shapes: [Shape], to out: inout [UInt8]) {
    switch (value, shape.kind) {
    case (.string(let text), _): CBOR.string(text, to: &out)
    case (.integer(let number), _): CBOR.integer(number, to: &out)
    case (.double(let number), _): CBOR.double(number, to: &out)
    case (.boolean(let flag), _): out.append(7 << 5 | (flag ? 21 : 20))
    case (.blob(let bytes), _):
      CBOR.head(2, UInt64(bytes.count), to: &out)
      out.append(contentsOf: bytes)
    case (.timestamp(let time), _): CBOR.timestamp(time, to: &out)
    case (.list(let values), .list(let element)):
      CBOR.head(4, UInt64(values.count), to: &out)
      for value in values { self.value(value, shapes[element], shapes, to: &out) }
    case (.map(let entries), .map(_, let element)):
      CBOR.head(5, UInt64(entries.count), to: &out)
      for entry in entries {
        CBOR.string(entry.key, to: &out)
        self.value(entry.value, shapes[element], shapes, to: &out)
      }
    case (.structure(let value), .structure(let members)): structure(value, members, shapes, to: &out)
    default: out.append(7 << 5 | 22)
    }
  }
}
