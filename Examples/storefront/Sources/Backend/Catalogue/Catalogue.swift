// What the shop sells. A change here reaches the database when the next task starts.
import StorefrontKit

enum Catalogue {
  /// In the order of the shop's front page.
  static let goods: [Goods] = [
    Goods(
      product: Product(
        id: "beacon-lamp", name: "Beacon lamp", tagline: "A light in the window, whoever is late.",
        details: "A table lamp with a linen shade that throws its light down on the page and only a little of it into "
          + "the room. Pull the chain once for reading and twice for company.",
        material: "Brass and linen, 46 cm high", picture: "A brass table lamp with a lit linen shade", cents: 8900),
      drawing: Drawings.lamp),
    Goods(
      product: Product(
        id: "keep-mug", name: "Keep mug", tagline: "Thick walls for long conversations.",
        details: "Heavy stoneware, thrown by hand and dipped to the battlements in a blue glaze. It holds a third of a "
          + "litre and keeps it warm for as long as the story takes.",
        material: "Stoneware, 33 cl", picture: "A stoneware mug with a blue glaze that ends in battlements", cents: 2400
      ),
      drawing: Drawings.mug),
    Goods(
      product: Product(
        id: "herald-kettle", name: "Herald kettle", tagline: "Announces tea, and only tea.",
        details: "An enamelled kettle for the hob with a spout that pours a thin line and a low, friendly whistle. The "
          + "oak handle stays cool.",
        material: "Enamelled steel and oak, 1.6 litres", picture: "A red enamelled kettle with a wooden handle",
        cents: 7800),
      drawing: Drawings.kettle),
    Goods(
      product: Product(
        id: "tapestry-throw", name: "Tapestry throw", tagline: "For the draughty end of the hall.",
        details: "Lambswool, woven double, with a border of lozenges that no two weavers make the same. Big enough for "
          + "two people and a dog.",
        material: "Lambswool, 140 by 190 cm", picture: "A folded terracotta blanket with a woven border", cents: 12_000),
      drawing: Drawings.throwBlanket),
    Goods(
      product: Product(
        id: "drawbridge-bookends", name: "Drawbridge bookends", tagline: "They hold, until you lower them.",
        details: "Two oak towers with lead in their cellars. They keep a shelf of books upright, and stand well on "
          + "their own when the books are out.",
        material: "Oiled oak, 30 cm high, a pair", picture: "Two oak towers holding a row of books", cents: 5400),
      drawing: Drawings.bookends),
    Goods(
      product: Product(
        id: "moat-watering-can", name: "Moat watering can", tagline: "Eight litres, no crocodiles.",
        details:
          "A galvanised can with a long neck and a fine brass rose, balanced so that it does not spill when full. "
          + "Made to be left in the rain.",
        material: "Galvanised steel and brass, 8 litres", picture: "A green watering can with a brass rose", cents: 4600
      ),
      drawing: Drawings.wateringCan),
    Goods(
      product: Product(
        id: "larder-jar", name: "Larder jar", tagline: "See the siege coming.",
        details:
          "A big glass jar with a lid of turned ash that closes with a sigh. One for beans, one for flour, one for "
          + "the biscuits nobody is to know about.",
        material: "Glass and ash, 2.4 litres", picture: "A glass jar of beans with a wooden lid", cents: 2800),
      drawing: Drawings.jar),
    Goods(
      product: Product(
        id: "postern-hooks", name: "Postern hooks", tagline: "Every key back in its place.",
        details:
          "A walnut rail with three brass hooks for beside the small door: the keys you need, the keys you might, "
          + "and the key that nobody remembers the lock of.",
        material: "Walnut and brass, 42 cm wide", picture: "A walnut rail with three hooks and hanging keys",
        cents: 3200),
      drawing: Drawings.hooks),
  ]
}
