"""Make what the page on texts of your own starts from, in a minute.

`reviews.csv` has 1,000 sentences on what guests thought of a house, with the columns `review` and
`verdict` (`bad`, `fair`, `good`), and `bert-reviews/` a checkpoint of transformers: a BERT of two
layers with a tokenizer of its own, trained on other sentences than those.
"""

import csv
import random
from pathlib import Path

import torch
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

VERDICTS = ("bad", "fair", "good")
WORDS = {
    "bad": ["dirty", "loud", "cold", "broken", "rude", "stale"],
    "fair": ["plain", "average", "acceptable", "ordinary", "simple", "adequate"],
    "good": ["lovely", "quiet", "warm", "spotless", "friendly", "fresh"],
}
THINGS = ["room", "kitchen", "garden", "bathroom", "host", "bed", "street", "lift", "terrace"]
PLACES = ["in the old town", "near the station", "by the lake", "on the third floor", "last May"]
CHECKPOINT = Path("bert-reviews")
LENGTH = 32


def write_review(draw: random.Random) -> tuple[str, str]:
    """Write a sentence and its verdict, which is now and then not what the sentence says."""
    meant = draw.choice(VERDICTS)
    one, other = draw.sample(THINGS, 2)
    first, second = draw.choices(WORDS[meant], k=2)
    text = f"The {one} {draw.choice(PLACES)} was {first}, and the {other} {second}."
    return text, draw.choice(VERDICTS) if draw.random() < 0.08 else meant


def train(reviews: list[tuple[str, str]], tokenizer: BertTokenizerFast) -> object:
    """Train a BERT of two layers on reviews."""
    torch.manual_seed(0)
    names = dict(enumerate(VERDICTS))
    configuration = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=64,
        id2label=names,
        label2id={name: number for number, name in names.items()},
    )
    network = BertForSequenceClassification(configuration).train()
    texts = [text for text, _ in reviews]
    inputs = tokenizer(texts, padding=True, truncation=True, max_length=LENGTH, return_tensors="pt")
    answers = torch.tensor([VERDICTS.index(verdict) for _, verdict in reviews])
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for _ in range(3):
        for chosen in torch.randperm(len(texts)).split(32):
            batch = {name: tensor[chosen] for name, tensor in inputs.items()}
            network(**batch, labels=answers[chosen]).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    return network.eval()


def main() -> None:
    """Write the table and the checkpoint into the working directory."""
    draw = random.Random(0)  # noqa: S311 (the same for all who follow the page)
    reviews = list(dict(write_review(draw) for _ in range(6000)).items())  # none stands twice
    with Path("reviews.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["review", "verdict"])
        table.writerows(reviews[:1000])
    others = reviews[1000:3000]
    words = BertWordPieceTokenizer(lowercase=True)
    words.train_from_iterator((text for text, _ in others), vocab_size=400, min_frequency=1)
    tokenizer = BertTokenizerFast(tokenizer_object=words._tokenizer)
    network = train(others, tokenizer)
    network.save_pretrained(CHECKPOINT)
    tokenizer.save_pretrained(CHECKPOINT)


if __name__ == "__main__":
    main()
