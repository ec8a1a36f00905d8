// Reads JSON for the tests, with the Templates module's reader.
import Templates

typealias SchemaNode = TemplateValue

extension TemplateValue {
  static func read(_ json: String) throws -> TemplateValue { try Template.parseNode(json).value }

  var keys: [String]? { map?.keys }
}
