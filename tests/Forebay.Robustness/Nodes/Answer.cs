namespace Forebay.Robustness.Nodes;

/// <summary>What a client got for one GET.</summary>
/// <param name="Status">HTTP status; 0 when the connection broke before one.</param>
/// <param name="Body">The bytes that arrived.</param>
/// <param name="IsComplete">True when all bytes that the headers promised arrived.</param>
/// <param name="ETag">With its quotes; null when there was none.</param>
/// <param name="Offset">Offset of the body's first byte in the object, by Content-Range.</param>
/// <param name="ObjectLength">Length of the object, by Content-Range or Content-Length.</param>
/// <param name="RetryAfter">Seconds, or null.</param>
internal sealed record Answer(int Status, byte[] Body, bool IsComplete, string? ETag, long Offset, long ObjectLength, double? RetryAfter)
{
    public static Answer Broken { get; } = new(0, [], IsComplete: false, null, 0, 0, null);

    /// <summary>True when the bytes count as the object's for a client.</summary>
    public bool IsSuccess => Status is 200 or 206 && IsComplete;

    /// <summary>The S3 error code of an error document; empty when there is none.</summary>
    public string ErrorCode
    {
        get
        {
            string text = System.Text.Encoding.UTF8.GetString(Body);
            int start = text.IndexOf("<Code>", StringComparison.Ordinal);
            int end = text.IndexOf("</Code>", StringComparison.Ordinal);
            return start < 0 || end < start ? "" : text[(start + 6)..end];
        }
    }
}
