// Prints what the nested query must answer, computed straight from the data: no gateway, no subgraph.
import { products, reviews, users } from "./data.js";

const product = (upc) => {
  const { inStock, name, price, weight } = products.find((each) => each.upc === upc);
  return { inStock, name, price, shippingEstimate: price > 1000 ? 0 : Math.floor(weight / 2), upc, weight };
};
const user = ({ id, username, name }) => ({ id, username, name });
const review = ({ id, body }) => ({ id, body });
const ofUser = reviews.slice(0, 2);
const author = () => ({
  ...user(users[0]),
  reviews: ofUser.map((each) => ({ ...review(each), product: product(each.upc) })),
});
const ofProduct = (upc) =>
  reviews.filter((each) => each.upc === upc).map((each) => ({ ...review(each), author: author() }));

const data = {
  users: users.map((each) => ({
    ...user(each),
    reviews: ofUser.map((one) => ({ ...review(one), product: { ...product(one.upc), reviews: ofProduct(one.upc) } })),
  })),
  topProducts: products.slice(0, 5).map(({ upc }) => ({ ...product(upc), reviews: ofProduct(upc) })),
};
process.stdout.write(JSON.stringify({ data }));
