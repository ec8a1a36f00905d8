// Trees from and to XML, led by the model: REST XML both ways, the query protocols' answers.

import AWSCore

struct XMLShapeWriter {
  let shapes: [Shape]
  var isEC2 = false

  /// The elements of a structure's members that stand in the body.
  func members(_ value: StructureValue, _ members: [Member], to xml: inout XMLWriter) {
    for (member, value) in zip(members, value.members) {
      guard let value, member.location == .body, !member.isAttribute, !member.isStreaming else { continue }
      element(member.wireName, value, shapes[member.shape], member, to: &xml)
    }
  }

  /// - Parameter member: the member that the value stands in; nil inside a list or map.
  func element(_ name: String, _ value: WireValue, _ shape: Shape, _ member: Member?, to xml: inout XMLWriter) {
    switch (value, shape.kind) {
    case (.structure(let value), .structure(let members)):
      xml.open(name, attributes(value, members, shape))
      self.members(value, members, to: &xml)
      xml.close(name)
    case (.list(let values), .list(let element)):
      let isFlat = member?.isFlattened == true || shape.isFlattened
      if !isFlat { xml.open(name) }
      let elementName = shape.elementName ?? (isFlat ? name : isEC2 ? "item" : "member")
      for value in values { self.element(elementName, value, shapes[element], nil, to: &xml) }
      if !isFlat { xml.close(name) }
    case (.map(let entries), .map(let key, let value)):
      let isFlat = member?.isFlattened == true || shape.isFlattened
      if !isFlat { xml.open(name) }
      let entryName = isFlat ? name : isEC2 ? "item" : "entry"
      for entry in entries {
        xml.open(entryName)
        element(shape.elementName ?? "key", .string(entry.key), shapes[key], nil, to: &xml)
        element(shape.valueName ?? "value", entry.value, shapes[value], nil, to: &xml)
        xml.close(entryName)
      }
      if !isFlat { xml.close(name) }
    default:
      let format = member?.timestampFormat ?? shape.timestampFormat ?? .iso8601
      xml.element(name, ScalarText.write(value, format: format))
    }
  }

  private func attributes(_ value: StructureValue, _ members: [Member], _ shape: Shape) -> [(String, String)] {
    var list: [(String, String)] = []
    for (member, value) in zip(members, value.members) where member.isAttribute {
      guard let value else { continue }
      // S3's grantees: xsi:type, whose prefix the element itself declares.
      if let namespace = shape.xmlNamespace, member.wireName.contains(":") {
        let prefix = member.wireName.prefix { $0 != ":" }
        list.append(("xmlns:\(prefix)", namespace))
      }
      list.append((member.wireName, ScalarText.write(value, format: .iso8601)))
    }
    return list
  }
}

struct XMLShapeReader {
  let shapes: [Shape]

  /// - Parameter bodyOnly: true at the root of a REST request, whose other members stand elsewhere.
  func structure(_ node: XMLNode, _ members: [Member], bodyOnly: Bool = false) throws(DecodeFault) -> StructureValue {
    var result = StructureValue(count: members.count)
    for (index, member) in members.enumerated() {
      if member.isStreaming || (bodyOnly && member.location != .body) { continue }
      let shape = shapes[member.shape]
      if member.isAttribute {
        if let text = node.attribute(String(localName(member.wireName))) {
          result.members[index] = ScalarText.parse(text, shape)
        }
        continue
      }
      let isFlat = member.isFlattened || shape.isFlattened
      if isFlat {
        var found = node.children.filter { $0.name == member.wireName }
        if found.isEmpty, let name = shape.elementName { found = node.children.filter { $0.name == name } }
        if !found.isEmpty { result.members[index] = try flat(found, shape, member.wireName) }
      } else if let child = node.child(member.wireName) {
        result.members[index] = try value(child, shape, member.wireName)
      }
    }
    return result
  }

  private func flat(_ nodes: [XMLNode], _ shape: Shape, _ name: String) throws(DecodeFault) -> WireValue? {
    switch shape.kind {
    case .list(let element): return .list(try list(nodes, element, name))
    case .map(_, let value): return .map(try entries(nodes, shape, value))
    default: return nil
    }
  }

  private func list(_ nodes: [XMLNode], _ element: Int, _ name: String) throws(DecodeFault) -> [WireValue] {
    var values: [WireValue] = []
    values.reserveCapacity(nodes.count)
    for node in nodes { if let value = try value(node, shapes[element], name) { values.append(value) } }
    return values
  }

  private func entries(_ nodes: [XMLNode], _ shape: Shape, _ value: Int) throws(DecodeFault) -> [WireValue.MapEntry] {
    var entries: [WireValue.MapEntry] = []
    for node in nodes {
      guard let key = node.child(shape.elementName ?? "key"), let child = node.child(shape.valueName ?? "value"),
        let item = try self.value(child, shapes[value], key.text)
      else { continue }
      entries.append(.init(key.text, item))
    }
    return entries
  }

  func value(_ node: XMLNode, _ shape: Shape, _ name: String) throws(DecodeFault) -> WireValue? {
    switch shape.kind {
    case .structure(let members): return .structure(try structure(node, members))
    case .list(let element):
      let wanted = shape.elementName ?? "member"
      return .list(try list(node.children.filter { $0.name == wanted }, element, name))
    case .map(_, let value): return .map(try entries(node.children.filter { $0.name == "entry" }, shape, value))
    default:
      guard let value = ScalarText.parse(node.text, shape) else {
        throw .wrongType(member: name, expected: shape.typeWord, found: "String")
      }
      return value
    }
  }
}
