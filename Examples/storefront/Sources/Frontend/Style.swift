// The look of the shop: one small style sheet, no fonts to fetch, no scripts. Light and dark.
import HTTPTypes
import Hummingbird

enum Style {
  /// Changes with the sheet, so that browsers may keep it for long.
  static let version: String = {
    // FNV-1a: only has to differ when the text does.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in sheet.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return String(hash, radix: 36)
  }()

  static var response: Response {
    Response(
      status: .ok,
      headers: [
        .contentType: "text/css; charset=utf-8", .cacheControl: "public, max-age=31536000, immutable",
      ],
      body: .init(byteBuffer: ByteBuffer(string: sheet)))
  }

  static var icon: Response {
    Response(
      status: .ok, headers: [.contentType: "image/svg+xml", .cacheControl: "public, max-age=86400"],
      body: .init(byteBuffer: ByteBuffer(string: iconDrawing)))
  }

  private static let iconDrawing = """
    <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#a8402c"/>\
    <path d="M7 25V8h4v3.500h3V8h4v3.500h3V8h4v17h-6v-5a3 3 0 0 0-6 0v5z" fill="#fdf6ea"/></svg>
    """

  private static let sheet = """
    :root{--paper:#fbf7f0;--card:#fffdf9;--ink:#2b2320;--dim:#6d615a;--line:#e4d9ca;--accent:#a8402c;--on:#fffaf3;
    --good:#2b6a4a;--goodbg:#e4f1e6;--badbg:#fbe5df;color-scheme:light dark;
    --serif:"Iowan Old Style","Palatino Linotype",Palatino,"URW Palladio L",Georgia,serif;
    --sans:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
    @media (prefers-color-scheme:dark){:root{--paper:#1d1917;--card:#27211e;--ink:#f1e8dd;--dim:#b3a598;--line:#40362f;
    --accent:#e58a70;--on:#241511;--good:#8fd0a8;--goodbg:#21342a;--badbg:#432721}}
    *{box-sizing:border-box}
    html{-webkit-text-size-adjust:100%}
    body{margin:0;background:var(--paper);color:var(--ink);font:17px/1.55 var(--sans);min-height:100vh;display:flex;
    flex-direction:column}
    main{flex:1;padding-block:2rem 4rem}
    .wrap{width:100%;max-width:1140px;margin-inline:auto;padding-inline:clamp(1rem,4vw,2rem)}
    h1,h2,.brand{font-family:var(--serif);font-weight:600;line-height:1.15;text-wrap:balance}
    h1{font-size:clamp(2rem,5vw,2.9rem);margin:0 0 .6rem}
    h2{font-size:1.3rem;margin:0 0 .8rem}
    a{color:inherit;text-underline-offset:.18em;text-decoration-color:var(--accent)}
    a:hover{color:var(--accent)}
    :focus-visible{outline:3px solid var(--accent);outline-offset:3px;border-radius:4px}
    img{display:block;max-width:100%;height:auto}
    code,pre{font:.82rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
    .skip{position:absolute;left:-999px}.skip:focus{left:1rem;top:.5rem;background:var(--card);padding:.4rem .8rem;z-index:1}
    .hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
    .top{border-bottom:1px solid var(--line);background:var(--card)}
    .top .wrap{display:flex;align-items:center;justify-content:space-between;gap:1rem;min-height:4.2rem}
    .brand{display:flex;align-items:center;gap:.6rem;font-size:1.6rem;text-decoration:none;color:var(--ink)}
    .brand svg{color:var(--accent)}
    nav{display:flex;gap:clamp(.9rem,3vw,1.8rem);align-items:center}
    nav a{text-decoration:none;padding:.5rem 0}
    nav a[aria-current]{box-shadow:0 2px var(--accent)}
    .badge{display:inline-block;min-width:1.5rem;margin-left:.35rem;padding:0 .4rem;border-radius:1rem;
    background:var(--accent);color:var(--on);font-size:.85rem;line-height:1.5rem;text-align:center;font-weight:600}
    .hero{padding-block:1rem 2rem;max-width:40rem}
    .hero p,.lead{font-size:1.15rem;color:var(--dim);margin:0 0 1.5rem}
    .hero p{margin:0}
    .grid{list-style:none;margin:0;padding:0;display:grid;gap:2rem 1.5rem;grid-template-columns:repeat(auto-fill,minmax(240px,1fr))}
    .card a{display:block;text-decoration:none}
    .card img,.product img{border-radius:14px;aspect-ratio:1;width:100%}
    .card a:hover img{filter:brightness(1.04)}
    .row{display:flex;justify-content:space-between;gap:1rem;margin-top:.8rem}
    .card .dim{display:block}
    .dim{color:var(--dim);font-size:.95rem}
    .price{font-variant-numeric:tabular-nums;white-space:nowrap}
    .big{font-size:1.5rem;margin:.2rem 0 1rem}
    .crumbs{margin:0 0 1.2rem;color:var(--dim)}.crumbs a{text-decoration:none}
    .product{display:grid;gap:clamp(1.5rem,5vw,4rem);grid-template-columns:minmax(0,1.1fr) minmax(0,1fr);align-items:center}
    .add{display:flex;flex-wrap:wrap;gap:1rem;align-items:end;margin-top:1.6rem}
    label{display:block;font-size:.95rem;color:var(--dim)}
    input,textarea{display:block;width:100%;margin-top:.25rem;font:inherit;color:var(--ink);background:var(--card);
    border:1px solid #8f8175;border-radius:8px;padding:.6rem .75rem}
    input[type=number]{width:5.2rem}
    .button,button{font:inherit;font-weight:600;cursor:pointer;border:0;border-radius:8px}
    .button{display:inline-block;background:var(--accent);color:var(--on);padding:.72rem 1.4rem;text-decoration:none;
    line-height:1.4}
    .button:hover{color:var(--on);filter:brightness(1.1)}
    .wide{width:100%}
    .plain{background:none;color:var(--dim);font-weight:400;text-decoration:underline;text-underline-offset:.18em;
    padding:.6rem .3rem;font-size:.95rem}
    .plain:hover{color:var(--accent)}
    .lines{list-style:none;margin:0;padding:0;border-top:1px solid var(--line)}
    .lines>li{border-bottom:1px solid var(--line)}
    .line{display:flex;align-items:center;gap:1.2rem;padding:1rem 0}
    .line img{border-radius:10px}
    .what{flex:1;min-width:0}.what .dim{display:block}
    .what a,.order{text-decoration:none}
    .line>.price{min-width:6rem;text-align:right;font-weight:600}
    .quantity{display:flex;align-items:center;gap:.3rem}.quantity input{margin:0}
    .thumbs{display:flex;gap:.4rem}
    .sum{display:flex;justify-content:flex-end;gap:2rem;font-size:1.3rem;padding:1.2rem 0}
    .actions{display:flex;flex-wrap:wrap;gap:1rem 2rem;justify-content:flex-end;align-items:center}
    .empty{color:var(--dim);font-size:1.15rem}
    .checkout{display:grid;gap:clamp(1.5rem,4vw,3rem);grid-template-columns:minmax(0,1.2fr) minmax(0,1fr);align-items:start}
    form label+label,form label+button{margin-top:1.1rem}
    .quantity label+button{margin:0}.add label+button{margin:0}
    .panel{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:1.5rem}
    .panel h2:not(:first-child){margin-top:1.6rem}
    .panel>:last-child{margin-bottom:0}
    table{width:100%;border-collapse:collapse}
    td,th{padding:.45rem 0;text-align:left;font-weight:400;vertical-align:top}
    td:last-child{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
    tfoot :is(th,td){border-top:1px solid var(--line);padding-top:.8rem;font-weight:600}
    .address{white-space:pre-line;margin:0}
    dl{margin:0 0 1.2rem}dt{color:var(--dim);font-size:.9rem}dd{margin:0 0 .7rem;overflow-wrap:anywhere}
    pre{background:var(--paper);border:1px solid var(--line);border-radius:8px;padding:1rem;overflow-x:auto;margin:0 0 1.2rem}
    .warning,.verdict.bad{background:var(--badbg);border-left:4px solid var(--accent);padding:.9rem 1.1rem;border-radius:8px}
    .verdict{padding:1.3rem 1.5rem;border-radius:14px;margin-bottom:1.5rem}
    .verdict h1{font-size:clamp(1.5rem,4vw,2.1rem);margin:0 0 .3rem}.verdict p{margin:0}
    .verdict.good{background:var(--goodbg);border-left:4px solid var(--good)}.good h1{color:var(--good)}
    .foot{border-top:1px solid var(--line);color:var(--dim);font-size:.9rem;padding-block:1.4rem}
    .foot p{margin:.2rem 0}.served{overflow-wrap:anywhere}
    @media (max-width:760px){
    body{font-size:16px}
    main{padding-block:1.4rem 3rem}
    .grid{grid-template-columns:1fr 1fr;gap:1.4rem 1rem}
    .grid .row{flex-direction:column;gap:0}
    .grid .dim{font-size:.88rem}
    .product,.checkout{grid-template-columns:minmax(0,1fr)}
    .checkout aside{order:-1}
    .line{flex-wrap:wrap;gap:.6rem 1rem}
    .what{flex-basis:calc(100% - 8rem)}
    .line>.price{margin-left:auto;min-width:0}
    .order .what{flex-basis:100%}
    .thumbs img{width:48px}
    }
    @media (prefers-reduced-motion:no-preference){.card img{transition:filter .2s}}

    """
}
