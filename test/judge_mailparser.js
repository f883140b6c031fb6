/*
 * judge_mailparser.js - what npm's mailparser makes of messages: one in a line
 * of standard input, in base64; for each a line of JSON. A message inside one
 * is read like one outside.
 */
"use strict";

const { simpleParser } = require("mailparser");
const readline = require("readline");

function plain(text) {
    return (text || "").replace(/\r\n?/g, "\n").trimEnd();
}

async function content(part) {
    if (part.contentType.startsWith("message/rfc822"))
        return read(part.content);
    return part.content.toString("latin1").replace(/\r\n/g, "\n")
        .replace(/\n$/, "");
}

async function read(message) {
    const mail = await simpleParser(message, {
        skipHtmlToText: true, skipTextToHtml: true, skipTextLinks: true,
        skipImageLinks: true,
    });
    const parts = [];
    for (const part of mail.attachments)
        parts.push([part.contentType, part.filename || null,
                    await content(part)]);
    return {
        subject: mail.subject, from: mail.from && mail.from.text,
        text: plain(mail.text), html: plain(mail.html || ""), parts,
    };
}

(async () => {
    for await (const line of readline.createInterface(process.stdin)) {
        const mail = await read(Buffer.from(line, "base64"));
        process.stdout.write(JSON.stringify(mail) + "\n");
    }
})();
