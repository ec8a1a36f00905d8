// The query protocol and EC2's dialect of it: a form in, XML out.

import AWSCore

struct QueryCodec: ProtocolCodec {
  let isEC2: Bool
  var wireProtocol: WireProtocol { isEC2 ? .ec2 : .query }

  // MARK: - Requests

  func decode(_ request: WireRequest, operation: OperationModel, model: ServiceModel) throws(AWSError) -> StructureValue
  {
    let shapes = model.shapes
    guard let input = operation.input, case .structure(let members) = shapes[input].kind else {
      return StructureValue(count: 0)
    }
    do throws(DecodeFault) {
      return try structure(try Self.form(request), 0, members, shapes)
    } catch {
      throw fault(error)
    }
  }

  /// The parameters of the query string and of the body together.
  private static func form(_ request: WireRequest) throws(DecodeFault) -> FormTree {
    guard let inQuery = PercentCoding.pairs(request.query), let inBody = PercentCoding.pairs(bytes: request.body) else {
      throw .malformed("The request's parameters are not properly encoded.")
    }
    return try FormTree(inQuery + inBody)
  }

  private func fault(_ fault: DecodeFault) -> AWSError {
    switch fault {
    case .malformed(let message): return AWSError(isEC2 ? "InvalidQueryParameter" : "MalformedInput", message)
    case .wrongType(let member, let expected, _):
      return isEC2
        ? AWSError("InvalidParameterValue", "The value of the parameter \(member) is not of the type \(expected).")
        : AWSError("MalformedInput", "The value of \(member) can not be read as \(expected).")
    }
  }

  private func name(_ member: Member) -> String {
    guard isEC2 else { return member.wireName }
    if let name = member.queryName { return name }
    guard let name = member.locationName else { return member.name }
    return name.prefix(1).uppercased() + name.dropFirst()
  }

  private func structure(_ form: FormTree, _ node: Int, _ members: [Member], _ shapes: [Shape])
    throws(DecodeFault) -> StructureValue
  {
    var result = StructureValue(count: members.count)
    for (index, member) in members.enumerated() {
      let shape = shapes[member.shape]
      let name = name(member)
      let isFlat = member.isFlattened || shape.isFlattened
      var child = form.child(node, name)
      // A flattened list of named elements stands under the elements' name.
      if child == nil, isFlat, !isEC2, let element = shape.elementName { child = form.child(node, element) }
      guard let child else { continue }
      result.members[index] = try value(form, child, shape, shapes, name, isFlat)
    }
    return result
  }

  private func value(
    _ form: FormTree, _ node: Int, _ shape: Shape, _ shapes: [Shape], _ name: String, _ isFlat: Bool
  ) throws(DecodeFault) -> WireValue? {
    switch shape.kind {
    case .structure(let members): return .structure(try structure(form, node, members, shapes))
    case .list(let element): return try list(form, node, shape, element, shapes, name, isFlat)
    case .map(let key, let value): return try map(form, node, shape, (key, value), shapes, name, isFlat)
    default:
      guard let text = form.value(node) else { return nil }
      // A parameter that was left empty is not there, except where empty is a value.
      if text.isEmpty, case .string = shape.kind { return .string("") }
      if text.isEmpty { if case .blob = shape.kind { return .blob([]) } else { return nil } }
      guard let value = ScalarText.parse(text, shape) else {
        throw .wrongType(member: name, expected: shape.typeWord, found: "String")
      }
      return value
    }
  }

  private func list(
    _ form: FormTree, _ node: Int, _ shape: Shape, _ element: Int, _ shapes: [Shape], _ name: String, _ isFlat: Bool
  ) throws(DecodeFault) -> WireValue? {
    if form.isLeaf(node) { return form.value(node) == "" ? .list([]) : nil }
    var at = node
    if !isFlat, !isEC2 {
      // `member` is what AWS takes besides the model's own name, and what older clients send.
      at = form.child(node, shape.elementName ?? "member") ?? form.child(node, "member") ?? node
    }
    var values: [WireValue] = []
    for child in form.elements(at) {
      if let value = try value(form, child, shapes[element], shapes, name, shapes[element].isFlattened) {
        values.append(value)
      }
    }
    return .list(values)
  }

  private func map(
    _ form: FormTree, _ node: Int, _ shape: Shape, _ types: (key: Int, value: Int), _ shapes: [Shape], _ name: String,
    _ isFlat: Bool
  ) throws(DecodeFault) -> WireValue? {
    if form.isLeaf(node) { return form.value(node) == "" ? .map([]) : nil }
    let at = isFlat || isEC2 ? node : form.child(node, "entry") ?? node
    var entries: [WireValue.MapEntry] = []
    for child in form.elements(at) {
      guard let keyNode = form.child(child, shape.elementName ?? "key"), let key = form.value(keyNode),
        let valueNode = form.child(child, shape.valueName ?? "value"),
        let value = try value(form, valueNode, shapes[types.value], shapes, name, false)
      else { continue }
      entries.append(.init(key, value))
    }
    return .map(entries)
  }

  // MARK: - Responses

  func encode(output: StructureValue, operation: OperationModel, model: ServiceModel, requestID: String) -> WireResponse
  {
    let shapes = model.shapes
    let root = operation.name + "Response"
    var xml = XMLWriter(declaration: isEC2)
    xml.open(root, [("xmlns", namespace(model))])
    let writer = XMLShapeWriter(shapes: shapes, isEC2: isEC2)
    if isEC2 { xml.element("requestId", requestID) }
    if let index = operation.output, case .structure(let members) = shapes[index].kind {
      if let wrapper = operation.resultWrapper { xml.open(wrapper) }
      writer.members(output, members, to: &xml)
      if let wrapper = operation.resultWrapper { xml.close(wrapper) }
    } else if isEC2 {
      xml.element("return", "true")
    }
    if !isEC2 {
      xml.open("ResponseMetadata")
      xml.element("RequestId", requestID)
      xml.close("ResponseMetadata")
    }
    xml.close(root)
    return WireResponse(status: operation.status, headers: headers(requestID), body: xml.bytes)
  }

  private func namespace(_ model: ServiceModel) -> String {
    // EC2's model leaves the slash out that its answers carry.
    let text = model.header.xmlNamespace
    return isEC2 && !text.hasSuffix("/") ? text + "/" : text
  }

  private func headers(_ requestID: String) -> WireHeaders {
    ["Content-Type": isEC2 ? "text/xml;charset=UTF-8" : "text/xml", "x-amzn-RequestId": requestID]
  }

  func encode(
    error: AWSError, operation: OperationModel?, model: ServiceModel?, requestID: String, resource: String?
  ) -> WireResponse {
    var xml = XMLWriter(declaration: isEC2)
    let code = ErrorNames(error.code, model).code
    if isEC2 {
      xml.open("Response")
      xml.open("Errors")
      xml.open("Error")
      xml.element("Code", code)
      xml.element("Message", error.message)
      xml.close("Error")
      xml.close("Errors")
      xml.element("RequestID", requestID)
      xml.close("Response")
    } else {
      xml.open("ErrorResponse", model.map { [("xmlns", $0.header.xmlNamespace)] } ?? [])
      xml.errorElement(error, code: code)
      xml.element("RequestId", requestID)
      xml.close("ErrorResponse")
    }
    return WireResponse(status: error.status, headers: headers(requestID), body: xml.bytes)
  }
}

extension XMLWriter {
  /// The `Error` element of the query protocol and of Route 53.
  mutating func errorElement(_ error: AWSError, code: String) {
    open("Error")
    element("Type", error.fault == .client ? "Sender" : "Receiver")
    element("Code", code)
    element("Message", error.message)
    for (name, value) in error.fields.sorted(by: { $0.key < $1.key }) { element(name, value) }
    close("Error")
  }
}
