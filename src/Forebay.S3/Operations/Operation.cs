using System.IO.Pipelines;
using Forebay.S3.Xml;
using Microsoft.AspNetCore.Http;

namespace Forebay.S3.Operations;

/// <summary>One operation of S3. Stateless: one instance serves all requests.</summary>
internal abstract class Operation(S3OperationKind kind)
{
    public S3OperationKind Kind { get; } = kind;

    /// <summary>False only for answers that are the same for everybody.</summary>
    public virtual bool NeedsIdentity => true;

    /// <summary>True when a missing bucket is answered before the operation runs.</summary>
    public virtual bool NeedsBucket => true;

    /// <summary>True when a body would be used, so its hash is checked. Bodies of refused writes are never read.</summary>
    public virtual bool ReadsBody => true;

    /// <summary>True when the operation may begin on the thread of an event loop: it leaves it before anything that may wait or compute long.</summary>
    public virtual bool MayRunInline => false;

    /// <summary>Answers the request.</summary>
    /// <returns>Null when it is answered, or the error to answer.</returns>
    public abstract ValueTask<S3Error?> ExecuteAsync(S3Request request, CancellationToken cancellationToken);

    /// <summary>Sends an XML document with status 200.</summary>
    protected static async ValueTask<S3Error?> AnswerXmlAsync<T>(S3Request request, T document, CancellationToken cancellationToken)
        where T : IXmlDocument
    {
        HttpResponse response = request.Http.Response;
        response.ContentType = "application/xml";
        await response.StartAsync(cancellationToken);
        if (!request.IsHead)
        {
            PipeWriter output = response.BodyWriter;
            Write(output, document);
            await output.FlushAsync(cancellationToken);
        }

        return null;
    }

    private static void Write<T>(PipeWriter output, T document)
        where T : IXmlDocument
    {
        var xml = new Utf8XmlWriter(output);
        document.WriteTo(ref xml);
        xml.Complete();
    }
}
