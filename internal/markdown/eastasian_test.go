package markdown_test

import (
	"strings"
	"testing"

	"blog/internal/markdown"
)

// TestEmphasisEastAsian asserts what is emphasis beside Chinese, Japanese and Korean text, and that CommonMark's rule
// decides beside every other.
func TestEmphasisEastAsian(t *testing.T) {
	for source, want := range map[string]string{
		// Chinese: punctuation inside, text outside.
		"**测试。**后文":           "<strong>测试。</strong>后文",
		"前文**（测试）**后文":        "前文<strong>（测试）</strong>后文",
		"前文**「测试」**":          "前文<strong>「测试」</strong>",
		"他说**“你好。”**然后":       "他说<strong>“你好。”</strong>然后",
		"价格是**￥100**。":        "价格是<strong>￥100</strong>。",
		"前文**《书名》**与*〈篇名〉*后文": "前文<strong>《书名》</strong>与<em>〈篇名〉</em>后文",
		"这是*强调！*吗":            "这是<em>强调！</em>吗",
		"真~~（她）~~好":           "真<del>（她）</del>好",
		"真，~~她~~。":            "真，<del>她</del>。",
		"***重要！***后文":         "<em><strong>重要！</strong></em>后文",
		"**重要：*很*。**后文":       "<strong>重要：<em>很</em>。</strong>后文",
		"𩸽**（魚）**𩸽":           "𩸽<strong>（魚）</strong>𩸽",
		"葛󠄀**（かつらぎ）**市":       "葛󠄀<strong>（かつらぎ）</strong>市",
		"前文**[链接](/a)**后文":    "前文<strong><a href=\"/a\">链接</a></strong>后文",
		"前文**`代码`**后文":        "前文<strong><code>代码</code></strong>后文",
		"前文**(test)**后文":      "前文<strong>(test)</strong>后文",
		"__测试。__后文":           "__测试。__后文", // _ inside of words is none
		"「__測試__」":            "「<strong>測試</strong>」",
		"**测试**。**测试**":       "<strong>测试</strong>。<strong>测试</strong>",
		// Japanese.
		"**重要。**この文":      "<strong>重要。</strong>この文",
		"これは**「重要」**です。":  "これは<strong>「重要」</strong>です。",
		"**ﾃｽﾄ｡**ﾃｽﾄ":     "<strong>ﾃｽﾄ｡</strong>ﾃｽﾄ",
		"カタカナ**・**ー**ー**": "カタカナ<strong>・</strong>ー<strong>ー</strong>",
		"版權**©︎**法":       "版權<strong>©︎</strong>法",
		// Korean, whose particles follow without a space.
		"**\"강조\"**는":            "<strong>“강조”</strong>는",
		"**마크다운(Markdown)**을 쓴다": "<strong>마크다운(Markdown)</strong>을 쓴다",
		"**'강조'**라는":             "<strong>‘강조’</strong>라는",
		"*(주)*회사":                "<em>(주)</em>회사",
		"**`npm publish`**를":     "<strong><code>npm publish</code></strong>를",
		"~~이 텍스트(괄호)~~를":         "<del>이 텍스트(괄호)</del>를",
		// Everywhere else CommonMark's rule.
		"a*\"foo\"*":           "a*“foo”*",
		"**bar.**foo":          "**bar.**foo",
		"foo**(bar)**baz":      "foo**(bar)**baz",
		"foo_bar_baz":          "foo_bar_baz",
		"пристаням_стремятся_": "пристаням_стремятся_",
		"a * b * c":            "a * b * c",
		"🎉**(a)**🎉":            "🎉<strong>(a)</strong>🎉", // punctuation on both sides
		"a**🎉**b":              "a**🎉**b",
		"สวัสดี**(a)**สวัสดี": "สวัสดี**(a)**สวัสดี",
		"~~a!~~b":   "~~a!~~b",
		"1**(2)**3": "1**(2)**3",
	} {
		doc := mustRender(t, source, markdown.Options{})
		if got := strings.TrimSpace(doc.HTML); got != `<p dir="auto">`+want+`</p>` {
			t.Errorf("%q:\n got %s\nwant %s", source, got, want)
		}
	}
}

// TestWrappedLines asserts where the end of a line is a space, and where it is nothing.
func TestWrappedLines(t *testing.T) {
	for source, want := range map[string]string{
		"测试\n后文":                "测试后文",
		"测试，\n后文。\n再见":          "测试，后文。再见",
		"> 测试\n> 后文":            "测试后文",
		"テスト\nの文":               "テストの文",
		"測試\n**後文**":            "測試<strong>後文</strong>",
		"**測試**\n後文":            "<strong>測試</strong>後文",
		"**測試\n後文**":            "<strong>測試後文</strong>",
		"[链接](/a)\n[链接](/b)":    `<a href="/a">链接</a><a href="/b">链接</a>`,
		"他说：\n“你好”\n然后":         "他说：“你好”然后",
		"测试——\n后文":              "测试——后文",
		"测试，\nEnglish，\n后文":     "测试，English，后文",
		"测试\nEnglish\n后文":       "测试\nEnglish\n后文",
		"English\nwords.\nMore": "English\nwords.\nMore",
		"한국어는\n띄어쓰기":            "한국어는\n띄어쓰기",
		"한국어는，\n띄어쓰기":           "한국어는，\n띄어쓰기",
		"“quoted”\n“more”":      "“quoted”\n“more”",
		"a\u200b\nb":            "a\u200bb",
		"测试\\\n后文":              "测试<br/>\n后文",
		"测试  \n后文":              "测试<br/>\n后文",
		"测试\n🎉":                 "测试🎉",
		"🎉\n🎉":                  "🎉\n🎉",
		"测试\n`代码`\n后文":          "测试<code>代码</code>后文",
		"<span>测试</span>\n后文":   "<span>测试</span>后文",
		"สวัสดี\nสวัสดี":        "สวัสดี\nสวัสดี",
		"שלום\nעולם":            "שלום\nעולם",
		"*测试*\n*English*":       "<em>测试</em>\n<em>English</em>",
	} {
		doc := mustRender(t, source, markdown.Options{})
		inner, err := mustQuery(t, doc).Find("p").First().Html()
		if err != nil {
			t.Fatal(err)
		}
		if inner != want {
			t.Errorf("%q:\n got %s\nwant %s", source, inner, want)
		}
	}
	for source, want := range map[string]string{
		"测试[^1]\n后文\n\n[^1]: x": "测试后文\nx",
		"```\n测试\n后文\n```":      "测试\n后文",
		"- 测试\n- 后文":            "测试\n后文",
		"测试\n后文\n\n又":           "测试后文\n又",
		"|测|试|\n|-|-|\n|后|文|":   "测 试\n后 文",
		"<div>\n测试\n后文\n</div>": "测试后文",
	} {
		if got := mustRender(t, source, markdown.Options{}).Plain; got != want {
			t.Errorf("%q: plain text %q, want %q", source, got, want)
		}
	}
}
