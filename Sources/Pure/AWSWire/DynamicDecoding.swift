// From what JSON and CBOR are read into to the tree of a shape, led by the model.

import AWSCore

struct DynamicDecoder {
  let shapes: [Shape]

  /// Members that the model does not have are passed over, and so are nulls.
  func structure(_ entries: [DynamicValue.Entry], _ members: [Member], bodyOnly: Bool = false)
    throws(DecodeFault) -> StructureValue
  {
    var result = StructureValue(count: members.count)
    for entry in entries {
      guard let index = members.firstIndex(where: { $0.wireName == entry.key }) else { continue }
      if members[index].isStreaming || (bodyOnly && members[index].location != .body) { continue }
      result.members[index] = try value(
        entry.value, shapes[members[index].shape], members[index].timestampFormat, entry.key)
    }
    return result
  }

  private func value(_ value: DynamicValue, _ shape: Shape, _ format: TimestampFormat?, _ name: String)
    throws(DecodeFault) -> WireValue?
  {
    switch (shape.kind, value) {
    case (_, .null): return nil
    case (.string, .string(let text)): return .string(text)
    case (.integer, .integer(let number)): return .integer(number)
    case (.integer, .double(let number)):
      // 5.0 and 1e3 are integers to AWS's readers.
      if let exact = Int(exactly: number) { return .integer(exact) }
    case (.double, .double(let number)): return .double(number)
    case (.double, .integer(let number)): return .double(Double(number))
    case (.double, .string("NaN")): return .double(.nan)
    case (.double, .string("Infinity")): return .double(.infinity)
    case (.double, .string("-Infinity")): return .double(-.infinity)
    case (.boolean, .boolean(let flag)): return .boolean(flag)
    case (.blob, .bytes(let bytes)): return .blob(bytes)
    case (.blob, .string(let text)):
      if let bytes = Base64.decodeLenient(text) { return .blob(bytes) }
    case (.timestamp, .timestamp(let time)): return .timestamp(time)
    case (.timestamp, .integer(let seconds)): return .timestamp(Timestamp(seconds: Double(seconds)))
    case (.timestamp, .double(let seconds)): return .timestamp(Timestamp(seconds: seconds))
    case (.timestamp, .string(let text)):
      if let time = ScalarText.timestamp(text) { return .timestamp(time) }
    case (.list(let element), .array(let values)):
      let shape = shapes[element]
      var list: [WireValue] = []
      list.reserveCapacity(values.count)
      for item in values { if let item = try self.value(item, shape, nil, name) { list.append(item) } }
      return .list(list)
    case (.map(_, let element), .object(let entries)):
      let shape = shapes[element]
      var map: [WireValue.MapEntry] = []
      map.reserveCapacity(entries.count)
      for entry in entries {
        if let item = try self.value(entry.value, shape, nil, entry.key) { map.append(.init(entry.key, item)) }
      }
      return .map(map)
    case (.structure(let members), .object(let entries)):
      return .structure(try structure(entries, members))
    case (.string, .array), (.string, .object), (.string, .boolean):
      break
    default: break
    }
    throw .wrongType(member: name, expected: shape.typeWord, found: value.typeWord)
  }
}
