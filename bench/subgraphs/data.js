// The public benchmark's shape with our own words: 6 users, 9 products, 11 reviews, bodies of the same lengths,
// reviews 1-4 on product 1, 5-8 on product 2, 9 on product 3, 10 and 11 on product 4.
const lorem =
  `Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore magna aliqua. Ut enim ad minim veniam, quis nostrud exercitation ullamco laboris nisi ut aliquip ex ea commodo consequat. Duis aute irure dolor in reprehenderit in voluptate velit esse cillum dolore eu fugiat nulla pariatur. Excepteur sint occaecat cupidatat non proident, sunt in culpa qui officia deserunt mollit anim id est laborum. Sed ut perspiciatis unde omnis iste natus error sit voluptatem accusantium doloremque laudantium, totam rem aperiam, eaque ipsa quae ab illo inventore veritatis et quasi architecto beatae vitae dicta sunt explicabo. Nemo enim ipsam voluptatem quia voluptas sit aspernatur aut odit aut fugit, sed quia consequuntur magni dolores eos qui ratione voluptatem sequi nesciunt. Neque porro quisquam est, qui dolorem ipsum quia dolor sit amet. `.repeat(
    2,
  );
const text = ([from, length]) => lorem.slice(from, from + length);
const bodies = [
  [0, 445],
  [446, 289],
  [735, 275],
  [300, 143],
];
const table = (columns, rows) => rows.map((row) => Object.fromEntries(columns.map((name, at) => [name, row[at]])));

export const users = table(
  ["id", "name", "username"],
  [
    ["1", "Ada Lovelace-12", "ada_l"],
    ["2", "Dot Simpson", "dotsimpson"],
    ["3", "Karl Kirchhoff", "karlkirchhof"],
    ["4", "Arla Thompson1", "arlathom"],
    ["5", "Gill Gardens", "gillgarden"],
    ["6", "Laura Quist2", "laurel"],
  ],
).map((row) => ({ ...row, birthday: 1234567890 }));

export const products = table(
  ["upc", "name", "price", "weight", "inStock"],
  [
    ["1", "Table", 899, 100, true],
    ["2", "Couch", 1299, 1000, false],
    ["3", "Glass", 15, 20, false],
    ["4", "Chair", 499, 100, false],
    ["5", "TV", 1299, 1000, true],
    ["6", "Lamp", 6999, 300, true],
    ["7", "Grill", 3999, 2000, true],
    ["8", "Fridge", 100000, 6000, false],
    ["9", "Sofa", 9999, 800, true],
  ],
);

export const reviews = table(
  ["id", "body", "upc"],
  [
    ["1", bodies[0], "1"],
    ["2", bodies[1], "1"],
    ["3", bodies[2], "1"],
    ["4", bodies[3], "1"],
    ["5", bodies[0], "2"],
    ["6", bodies[1], "2"],
    ["7", bodies[2], "2"],
    ["8", bodies[3], "2"],
    ["9", bodies[3], "3"],
    ["10", bodies[3], "4"],
    ["11", [20, 844], "4"],
  ],
).map((row) => ({ ...row, body: text(row.body) }));
