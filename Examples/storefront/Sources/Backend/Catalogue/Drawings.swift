// The pictures of the goods, drawn for this shop: flat shapes in front of an arch, each in its own light.

enum Drawings {
  /// Puts a thing in front of the arch that all pictures share.
  private static func scene(
    wall: String, arch: String, floor: String? = nil, shadow: String = "", _ thing: String
  ) -> String {
    let ground = floor.map { "<rect y=\"640\" width=\"800\" height=\"160\" fill=\"\($0)\"/>" } ?? ""
    return """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 800" width="800" height="800">
      <rect width="800" height="800" fill="\(wall)"/>
      <path d="M130 800V390a270 270 0 0 1 540 0v410z" fill="\(arch)"/>
      \(ground)\(shadow)
      \(thing)
      </svg>

      """
  }

  private static func shadow(_ x: Int, _ y: Int, _ width: Int, _ color: String) -> String {
    "<ellipse cx=\"\(x)\" cy=\"\(y)\" rx=\"\(width)\" ry=\"\(width / 9)\" fill=\"\(color)\"/>"
  }

  static let lamp = scene(
    wall: "#e9c98f", arch: "#f3dfb4", floor: "#c99a5b", shadow: shadow(400, 692, 190, "#ad7f43"),
    """
    <defs>
    <radialGradient id="glow"><stop offset="0" stop-color="#fff6d8"/><stop offset="1" stop-color="#fff6d8" stop-opacity="0"/></radialGradient>
    <linearGradient id="shade" x2="0" y2="1"><stop offset="0" stop-color="#f6e3ba"/><stop offset=".75" stop-color="#fffaf0"/><stop offset="1" stop-color="#fff3cf"/></linearGradient>
    <linearGradient id="brass"><stop offset="0" stop-color="#8a6426"/><stop offset=".35" stop-color="#d8aa58"/><stop offset="1" stop-color="#8f682a"/></linearGradient>
    </defs>
    <circle cx="400" cy="400" r="330" fill="url(#glow)"/>
    <path d="M386 400h28v250h-28z" fill="url(#brass)"/>
    <ellipse cx="400" cy="470" rx="30" ry="22" fill="url(#brass)"/>
    <path d="M372 520c-22 40-22 80 0 116h56c22-36 22-76 0-116z" fill="url(#brass)"/>
    <path d="M290 682c0-30 50-48 110-48s110 18 110 48c0 14-220 14-220 0z" fill="url(#brass)"/>
    <path d="M308 176h184l76 236H232z" fill="url(#shade)"/>
    <path d="M308 176h184l5 17H303zM240 388h320l8 24H232z" fill="#b5533c"/>
    <path d="M462 412v78" stroke="#8a6426" stroke-width="4"/><circle cx="462" cy="498" r="10" fill="#b98a3c"/>
    <path d="M336 214l-40 152" stroke="#fff" stroke-width="14" stroke-linecap="round" opacity=".55"/>
    """)

  static let mug = scene(
    wall: "#b9cbdc", arch: "#d9e4ee", floor: "#8ea7bf", shadow: shadow(390, 680, 200, "#768fa8"),
    """
    <defs>
    <linearGradient id="clay"><stop offset="0" stop-color="#cdbda4"/><stop offset=".3" stop-color="#efe4d0"/><stop offset="1" stop-color="#b9a78b"/></linearGradient>
    <linearGradient id="glaze"><stop offset="0" stop-color="#24476b"/><stop offset=".3" stop-color="#4a7aa8"/><stop offset="1" stop-color="#1d3a59"/></linearGradient>
    </defs>
    <path d="M505 408c150-18 150 196-8 178" fill="none" stroke="#b9a78b" stroke-width="38" stroke-linecap="round"/>
    <path d="M505 408c150-18 150 196-8 178" fill="none" stroke="#d9cab0" stroke-width="16" stroke-linecap="round"/>
    <path d="M230 330h300v256c0 70-44 100-100 100H330c-56 0-100-30-100-100z" fill="url(#clay)"/>
    <path d="M230 330h300v190h-30v-44h-45v44h-45v-44h-60v44h-45v-44h-45v44h-30z" fill="url(#glaze)"/>
    <ellipse cx="380" cy="330" rx="150" ry="34" fill="#1d3a59"/>
    <ellipse cx="380" cy="336" rx="128" ry="24" fill="#5b3a26"/>
    <ellipse cx="352" cy="332" rx="54" ry="8" fill="#8a5d3f"/>
    <path d="M270 392v90" stroke="#fff" stroke-width="16" stroke-linecap="round" opacity=".35"/>
    <g fill="none" stroke="#fff" stroke-width="13" stroke-linecap="round" opacity=".75">
    <path d="M320 268c-26-34 26-54 0-92"/><path d="M384 252c-30-40 30-66 0-112"/><path d="M446 268c-26-34 26-54 0-92"/></g>
    """)

  static let kettle = scene(
    wall: "#e3b7a0", arch: "#f2d6c5", floor: "#a9705a", shadow: shadow(400, 688, 220, "#8d5945"),
    """
    <defs>
    <radialGradient id="red" cx=".36" cy=".3" r=".9"><stop offset="0" stop-color="#e2604a"/><stop offset=".6" stop-color="#b8392b"/><stop offset="1" stop-color="#842418"/></radialGradient>
    </defs>
    <path d="M286 420c-30-230 258-230 228 0" fill="none" stroke="#3c2a22" stroke-width="16"/>
    <path d="M318 286c30-62 134-62 164 0" fill="none" stroke="#8a5a34" stroke-width="40" stroke-linecap="round"/>
    <path d="M326 278c32-46 116-46 148 0" fill="none" stroke="#b98556" stroke-width="9" stroke-linecap="round"/>
    <path d="M538 612c92-18 74-138 138-178l-34-32c-70 34-76 122-124 132z" fill="#a23225"/>
    <path d="M676 434l-34-32 14-12 36 32z" fill="#3c2a22"/>
    <path d="M236 650c-36-150 54-262 164-262s200 112 164 262c-8 38-320 38-328 0z" fill="url(#red)"/>
    <path d="M232 630c4 46 332 46 336 0l-4 24c-14 38-314 38-328 0z" fill="#3c2a22"/>
    <ellipse cx="400" cy="402" rx="88" ry="24" fill="#842418"/><ellipse cx="400" cy="394" rx="80" ry="20" fill="#c9463a"/>
    <circle cx="400" cy="364" r="22" fill="#8a5a34"/><circle cx="394" cy="357" r="7" fill="#b98556"/>
    <path d="M352 478h96v62c0 38-30 56-48 64-18-8-48-26-48-64z" fill="#f6e7d3"/>
    <path d="M374 570v-42h-8v-34h16v12h10v-12h16v12h10v-12h16v34h-8v42h-14v-20a12 12 0 0 0-24 0v20z" fill="#b8392b"/>
    <path d="M290 460c-28 40-30 80-24 118" stroke="#fff" stroke-width="16" stroke-linecap="round" fill="none" opacity=".4"/>
    <g fill="none" stroke="#fff" stroke-width="12" stroke-linecap="round" opacity=".8">
    <path d="M690 372c-24-30 22-48 0-82"/><path d="M730 356c-26-34 24-56 0-96"/></g>
    """)

  static let throwBlanket = scene(
    wall: "#d5b9ab", arch: "#ecdad0", floor: "#8c6a5b", shadow: shadow(400, 690, 270, "#735446"),
    """
    <defs>
    <linearGradient id="wool" x2="0" y2="1"><stop offset="0" stop-color="#cf7350"/><stop offset="1" stop-color="#a4502f"/></linearGradient>
    <pattern id="lozenge" width="72" height="60" patternUnits="userSpaceOnUse" x="292" y="430">
    <path d="M36 4l27 26-27 26L9 30z" fill="#f3e2c9"/><path d="M36 17l13 13-13 13-13-13z" fill="#274b4a"/></pattern>
    </defs>
    <rect x="150" y="592" width="500" height="96" rx="48" fill="#8f4427"/>
    <rect x="150" y="592" width="500" height="84" rx="42" fill="url(#wool)"/>
    <rect x="158" y="500" width="484" height="104" rx="52" fill="#8f4427"/>
    <rect x="158" y="500" width="484" height="92" rx="46" fill="url(#wool)"/>
    <rect x="166" y="404" width="468" height="108" rx="54" fill="#8f4427"/>
    <rect x="166" y="404" width="468" height="96" rx="48" fill="url(#wool)"/>
    <g fill="none" stroke="#7c3a20" stroke-width="5" stroke-linecap="round" opacity=".6">
    <path d="M208 452h60M196 546h72M192 636h78M532 452h60M532 546h72M530 636h78"/></g>
    <path d="M284 396c0-14 10-22 24-22h184c14 0 24 8 24 22v254H284z" fill="#274b4a"/>
    <path d="M284 404h232v18H284zM284 618h232v18H284z" fill="#e3a857"/>
    <path d="M292 430h216v180H292z" fill="#b85a38"/>
    <path d="M292 430h216v180H292z" fill="url(#lozenge)"/>
    <g stroke="#f3e2c9" stroke-width="7" stroke-linecap="round">
    <path d="M292 652v34M312 652v40M332 652v34M352 652v40M372 652v34M392 652v40M412 652v34M432 652v40M452 652v34M472 652v40M492 652v34M508 652v38"/></g>
    """)

  static let bookends = scene(
    wall: "#b7c6b4", arch: "#dbe5d7", floor: "#7f9179", shadow: shadow(400, 678, 300, "#68795f"),
    """
    <defs>
    <linearGradient id="oak"><stop offset="0" stop-color="#8b5f36"/><stop offset=".5" stop-color="#c1905a"/><stop offset="1" stop-color="#a1713f"/></linearGradient>
    </defs>
    <path d="M262 432h50v240h-50z" fill="#7a3038"/><path d="M262 462h50v12h-50zM262 620h50v12h-50z" fill="#d7b56c"/>
    <path d="M312 394h40v278h-40z" fill="#d9a441"/><path d="M312 430h40v8h-40zM312 446h40v8h-40z" fill="#7c5a17"/>
    <path d="M352 452h58v220h-58z" fill="#2f5a58"/><circle cx="381" cy="520" r="15" fill="#e9dcc0"/>
    <path d="M410 410h32v262h-32z" fill="#efe5cf"/><path d="M410 450h32v60h-32z" fill="#b8483a"/>
    <path d="M442 438h46v234h-46z" fill="#3f4a73"/><path d="M442 470h46v8h-46zM442 636h46v8h-46z" fill="#c8cde2"/>
    <path d="M488 474h50v198h-50z" fill="#9c5b7b"/><path d="M504 500h18v80h-18z" fill="#e7cfdc"/>
    <path d="M134 672V330h32v34h26v-34h38v34h26v-34h32v342z" fill="url(#oak)" transform="translate(-26 0)"/>
    <path d="M134 672V330h32v34h26v-34h38v34h26v-34h32v342z" fill="url(#oak)" transform="translate(404 0)"/>
    <g fill="#5d3d1e"><path d="M154 672v-76a31 31 0 0 1 62 0v76zM584 672v-76a31 31 0 0 1 62 0v76z"/>
    <path d="M172 420a13 13 0 0 1 26 0v44h-26zM602 420a13 13 0 0 1 26 0v44h-26z"/></g>
    <g stroke="#7a522b" stroke-width="4" opacity=".55"><path d="M112 500h146M112 548h38M220 548h38M542 500h146M542 548h38M650 548h38"/></g>
    """)

  static let wateringCan = scene(
    wall: "#c3d3a4", arch: "#e3ecd0", floor: "#8aa068", shadow: shadow(420, 690, 240, "#728951"),
    """
    <defs>
    <linearGradient id="tin"><stop offset="0" stop-color="#285d4c"/><stop offset=".35" stop-color="#4e937b"/><stop offset="1" stop-color="#1f4a3d"/></linearGradient>
    </defs>
    <path d="M372 392c0-150 200-150 200 0" fill="none" stroke="#1f4a3d" stroke-width="22"/>
    <path d="M588 440c130-10 140 176 22 190" fill="none" stroke="#1f4a3d" stroke-width="24" stroke-linecap="round"/>
    <path d="M352 640L152 352l34-26 196 196z" fill="#2f6b58"/>
    <path d="M364 560L176 336l10-10 196 196z" fill="#4e937b" opacity=".8"/>
    <path d="M346 392h252l24 292H322z" fill="url(#tin)"/>
    <ellipse cx="472" cy="392" rx="126" ry="26" fill="#163a30"/><ellipse cx="472" cy="398" rx="104" ry="17" fill="#6fa9c9"/>
    <g fill="none" stroke="#bfe0d2" stroke-width="9" stroke-linecap="round" opacity=".85">
    <path d="M340 540c24-28 46-28 68 0s46 28 68 0 46-28 68 0 42 28 62 4"/>
    <path d="M336 580c24-28 46-28 70 0s46 28 68 0 46-28 68 0 44 28 66 4"/></g>
    <g transform="rotate(-46 158 330) translate(4 24)"><path d="M130 322h56l26-42H104z" fill="#b98a3c"/><ellipse cx="158" cy="280" rx="54" ry="14" fill="#dcb45f"/>
    <g fill="#8a6426"><circle cx="130" cy="280" r="4"/><circle cx="148" cy="275" r="4"/><circle cx="148" cy="286" r="4"/><circle cx="168" cy="275" r="4"/><circle cx="168" cy="286" r="4"/><circle cx="186" cy="280" r="4"/></g></g>
    <g fill="#5f9dc2"><path d="M92 350c-14 24-14 36 0 36s14-12 0-36zM66 420c-14 24-14 36 0 36s14-12 0-36zM112 430c-14 24-14 36 0 36s14-12 0-36zM84 510c-14 24-14 36 0 36s14-12 0-36z"/></g>
    <path d="M386 436l-14 200" stroke="#fff" stroke-width="14" stroke-linecap="round" opacity=".3"/>
    """)

  static let jar = scene(
    wall: "#dccaa6", arch: "#f0e6cf", floor: "#a78b5c", shadow: shadow(400, 690, 190, "#8c7247"),
    """
    <defs>
    <pattern id="beans" width="64" height="48" patternUnits="userSpaceOnUse">
    <rect width="64" height="48" fill="#7d4a2c"/><ellipse cx="16" cy="12" rx="15" ry="10" fill="#b4713f" transform="rotate(-18 16 12)"/>
    <ellipse cx="48" cy="14" rx="15" ry="10" fill="#c98a54" transform="rotate(24 48 14)"/><ellipse cx="32" cy="36" rx="15" ry="10" fill="#a8623a" transform="rotate(8 32 36)"/>
    <ellipse cx="0" cy="36" rx="14" ry="9" fill="#d49c66"/><ellipse cx="64" cy="36" rx="14" ry="9" fill="#d49c66"/></pattern>
    <clipPath id="inside"><path d="M276 350h248c12 24 26 34 26 66v216c0 30-20 46-46 46H296c-26 0-46-16-46-46V416c0-32 14-42 26-66z"/></clipPath>
    <linearGradient id="ash"><stop offset="0" stop-color="#b98d5c"/><stop offset=".4" stop-color="#e6c596"/><stop offset="1" stop-color="#b58755"/></linearGradient>
    </defs>
    <path d="M268 338h264c14 26 30 38 30 74v224c0 38-24 56-56 56H294c-32 0-56-18-56-56V412c0-36 16-48 30-74z" fill="#eaf3f0" opacity=".85"/>
    <g clip-path="url(#inside)"><path d="M240 470c40-22 80-8 130-16s110-18 190 10v230H240z" fill="url(#beans)"/></g>
    <path d="M268 338h264c14 26 30 38 30 74v224c0 38-24 56-56 56H294c-32 0-56-18-56-56V412c0-36 16-48 30-74z" fill="none" stroke="#b9cfc8" stroke-width="8"/>
    <path d="M262 258h276c12 0 18 8 18 18v48c0 10-6 18-18 18H262c-12 0-18-8-18-18v-48c0-10 6-18 18-18z" fill="url(#ash)"/>
    <path d="M350 258c-12-44 112-44 100 0z" fill="url(#ash)"/>
    <path d="M250 318h300" stroke="#a57a48" stroke-width="5"/>
    <rect x="322" y="498" width="156" height="128" rx="10" fill="#fbf5e6"/><rect x="332" y="508" width="136" height="108" rx="6" fill="none" stroke="#b5533c" stroke-width="4"/>
    <path d="M366 600v-34h-9v-34h16v13h14v-13h26v13h14v-13h16v34h-9v34h-18v-20a16 16 0 0 0-32 0v20z" fill="#b5533c"/>
    <path d="M276 430v170" stroke="#fff" stroke-width="16" stroke-linecap="round" opacity=".65"/>
    """)

  static let hooks = scene(
    wall: "#c6bdd3", arch: "#e4deec", shadow: "<path d=\"M142 330h520v130H142z\" fill=\"#b3a8c4\"/>",
    """
    <defs>
    <linearGradient id="walnut" x2="0" y2="1"><stop offset="0" stop-color="#7d5334"/><stop offset="1" stop-color="#523420"/></linearGradient>
    <linearGradient id="brass"><stop offset="0" stop-color="#a97d35"/><stop offset=".4" stop-color="#e3bd72"/><stop offset="1" stop-color="#9a702c"/></linearGradient>
    </defs>
    <path d="M130 440V290h52v36h48v-36h62v36h48v-36h120v36h48v-36h62v36h48v-36h52v150z" fill="url(#walnut)"/>
    <g stroke="#3f2717" stroke-width="4" opacity=".5" fill="none"><path d="M140 372c120-16 200 14 300 0s160-8 220 4M140 408c90 10 210-14 320 0s140 6 200-4"/></g>
    <g fill="url(#brass)"><circle cx="230" cy="386" r="28"/><circle cx="400" cy="386" r="28"/><circle cx="570" cy="386" r="28"/></g>
    <g fill="none" stroke="#c2964a" stroke-width="17" stroke-linecap="round"><path d="M230 392v66c0 44 56 44 56 4"/><path d="M400 392v66c0 44 56 44 56 4"/><path d="M570 392v66c0 44 56 44 56 4"/></g>
    <g fill="none" stroke="#4b4656" stroke-width="14"><circle cx="258" cy="528" r="38"/><path d="M258 566v140M258 664h38M258 700h46"/></g>
    <g fill="none" stroke="#9a4433" stroke-width="12"><path d="M428 490v52"/></g>
    <path d="M392 540h72v96l-36 34-36-34z" fill="#b5533c"/><path d="M410 620v-30h-6v-28h12v9h6v-9h12v9h6v-9h12v28h-6v30h-12v-14a6 6 0 0 0-12 0v14z" fill="#f6e7d3"/>
    <g fill="none" stroke="#b98a3c" stroke-width="13"><path d="M598 490l-26 34 26 34 26-34z"/><path d="M598 558v108M598 634h-32M598 660h-40"/></g>
    """)
}
