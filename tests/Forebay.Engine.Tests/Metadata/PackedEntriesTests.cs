using System.Text;
using Forebay.Core;
using Forebay.Engine.Metadata;
using Xunit;

namespace Forebay.Engine.Tests.Metadata;

public sealed class PackedEntriesTests
{
    private static readonly string[] Tags =
    [
        "\"0123456789abcdef0123456789abcdef\"",
        "\"0123456789abcdef0123456789abcdef-1\"",
        "\"0123456789abcdef0123456789abcdef-10000\"",
        "\"0123456789abcdef0123456789abcdef-999999999\"",
        "\"0123456789abcdef0123456789abcdef-01\"",
        "\"0123456789abcdef0123456789abcdef-0\"",
        "\"0123456789abcdef0123456789abcdef-\"",
        "\"0123456789abcdef0123456789abcdef-99999999999\"",
        "\"0123456789ABCDEF0123456789abcdef\"",
        "\"0123456789abcdef0123456789abcde\"",
        "\"0123456789abcdef0123456789abcdefa\"",
        "0123456789abcdef0123456789abcdef",
        "\"ü—\"",
        "W/\"x\"",
    ];

    [Fact]
    public void EverythingAListingTellsSurvivesPacking()
    {
        var entries = new List<ListEntry>();
        foreach (string etag in Tags)
        {
            foreach (string? token in new[] { null, "10-1700000000123456789-42", "\"0123456789abcdef0123456789abcdef\"" })
            {
                foreach (long length in new[] { 0L, 127, 128, 5L << 40, long.MaxValue })
                {
                    foreach (long ticks in new[] { 0L, 17_000_000_000_000_000, 17_000_000_001_234_567, -10_000_000, -1 })
                    {
                        string key = $"täst/{entries.Count:D5}/😀{new string('x', entries.Count % 40)}";
                        entries.Add(new ListEntry(key, new ObjectStat(
                            key, length, new VersionToken(token ?? etag), new DateTimeOffset(DateTimeOffset.UnixEpoch.Ticks + ticks, TimeSpan.Zero))
                        {
                            ETag = etag,
                        }));
                        if (entries.Count % 7 == 0)
                        {
                            entries.Add(new ListEntry(key + "/", null));
                        }
                    }
                }
            }
        }

        PackedEntries packed = PackedEntries.Pack(entries);

        var cursor = new PackedCursor(packed, new byte[packed.LongestName]);
        foreach (ListEntry expected in entries)
        {
            Assert.True(cursor.MoveNext());
            Assert.Equal(expected.Name, cursor.ToName(0));
            Assert.Equal(expected.IsPrefix, cursor.Flags == PackedFlags.Prefix);
            if (expected.Stat is not null)
            {
                Assert.Equal(expected.Stat, cursor.ToStat(expected.Name));
            }
        }

        Assert.False(cursor.MoveNext());
        Assert.Equal(entries[^1].Name, Encoding.UTF8.GetString(packed.LastName));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(16)]
    [InlineData(17)]
    [InlineData(1_000)]
    public void ASeekFindsTheFirstNameAtOrBehindAPosition(int count)
    {
        ListEntry[] entries = [.. Enumerable.Range(0, count).Select(i => new ListEntry($"k{i:D4}", ScriptedStore.MakeStat($"k{i:D4}")))];
        PackedEntries packed = PackedEntries.Pack(entries);
        for (int from = -1; from <= count; from += 1 + (count / 40))
        {
            for (int to = 0; to <= count + 1; to += 1 + (count / 60))
            {
                foreach (string position in new[] { $"k{to:D4}", $"k{to:D4}!", "a", "z" })
                {
                    var cursor = new PackedCursor(packed, new byte[packed.LongestName]);
                    for (int i = 0; i <= from; i++)
                    {
                        cursor.MoveNext();
                    }

                    int expected = Math.Max(
                        Math.Max(from, 0), Array.FindIndex(entries, e => string.CompareOrdinal(e.Name, position) >= 0) is >= 0 and int at ? at : count);
                    bool found = cursor.Seek(Encoding.UTF8.GetBytes(position));

                    Assert.Equal(expected < count, found);
                    if (found)
                    {
                        Assert.Equal(entries[expected].Name, cursor.ToName(0));
                        Assert.Equal(expected + 1 < count, cursor.MoveNext());
                    }
                }
            }
        }
    }
}
